import { Command } from 'commander';
import { addBatchCommands } from './commands/batches.ts';
import { addBulkCommands } from './commands/bulk.ts';
import { addDeleteCommand } from './commands/delete.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addExportCommand } from './commands/export.ts';
import { addImportCommand } from './commands/import.ts';
import { addImportsCommands } from './commands/imports.ts';
import { addProfileCommands } from './commands/profiles.ts';
import { addResourceCommands } from './commands/resources.ts';
import { addSchemaCommands } from './commands/schemas.ts';
import { addTokenCommand } from './commands/token.ts';
import { addUploadCommands } from './commands/upload.ts';
import { addWebhookCommands } from './commands/webhooks.ts';
import type { ProgramParts } from './context.ts';
import { VERSION } from './version.ts';

const AFTER = `
Settings: a flag, else the profile of --profile, else DROVER_URL, DROVER_TOKEN and DROVER_TENANT, else the profile in use.
Exit codes: 0 done, 1 not all succeeded or refused, 2 wrong use, 3 the service cannot be reached, 130 stopped by Ctrl-C.

Examples:
  $ drover schema push city.json
  $ drover upload city cities.ndjson
  $ drover export city > all.ndjson`;

/** The command with everything that it can do. Help of commands shows the options that all of them have. */
export function createProgram(parts: ProgramParts): Command {
  const program = new Command('drover')
    .description('Durable batches of typed, linked resources: the command of a Drover service.')
    .version(VERSION)
    .option('--url <address>', 'address of the service (http://127.0.0.1:8080)')
    .option('--token <token>', 'token of the caller')
    .option('--tenant <tenant>', 'tenant of the requests')
    .option('--profile <name>', 'settings by name; see drover profile')
    .option('--json', 'results as one JSON value')
    .option('--ndjson', 'results as lines of JSON')
    .option('--yes', 'do not ask before something is destroyed, or done to many')
    .addHelpText('after', AFTER)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void parts.terminal.out.write(text),
      writeErr: (text) => void parts.terminal.err.write(text),
      getOutHelpWidth: () => parts.terminal.out.columns ?? DEFAULT_WIDTH,
      getErrHelpWidth: () => parts.terminal.err.columns ?? DEFAULT_WIDTH,
    })
    .showHelpAfterError('(--help says how)')
    .exitOverride();
  addSchemaCommands(program, parts);
  addUploadCommands(program, parts);
  addDeleteCommand(program, parts);
  addImportCommand(program, parts);
  addExportCommand(program, parts);
  addResourceCommands(program, parts);
  addBatchCommands(program, parts);
  addBulkCommands(program, parts);
  addImportsCommands(program, parts);
  addWebhookCommands(program, parts);
  addDoctorCommand(program, parts);
  addProfileCommands(program, parts);
  addTokenCommand(program, parts);
  return program;
}

const DEFAULT_WIDTH = 80;
