import type { Referrer, Resource } from '@drover/client';
import type { Command } from 'commander';
import type { ProgramParts } from '../context.ts';
import { EXIT } from '../exit.ts';
import { firstOf, type Limited, limitOption } from '../options/limit.ts';
import { jsonText } from '../terminal/plain.ts';
import type { Column } from '../terminal/table.ts';
import { addCommand } from './add-command.ts';

const COLUMNS: readonly Column<Resource>[] = [
  { name: 'EXTERNAL ID', of: ({ resourceExternalId }) => resourceExternalId, isKept: true },
  { name: 'VERSION', of: ({ versionNumber }) => versionNumber },
  { name: 'UPDATED', of: ({ updatedAt }) => updatedAt },
  { name: 'DATA', of: ({ data }) => jsonText(data) },
];

const REFERRER_COLUMNS: readonly Column<Referrer>[] = [
  { name: 'SCHEMA', of: ({ schemaName }) => schemaName },
  { name: 'EXTERNAL ID', of: ({ resourceExternalId }) => resourceExternalId, isKept: true },
  { name: 'FIELDS', of: ({ fields }) => fields.join(' ') },
];

/** `drover resource …` */
export function addResourceCommands(program: Command, parts: ProgramParts): void {
  const resource = program.command('resource').description('Resources: read them one by one; see drover export.');
  addCommand<{ readonly include?: readonly string[] }>(resource, parts, {
    usage: 'get <schema> <id>',
    summary: 'Print a resource as JSON, by its external id',
    more: 'It has the version and dates, and the item that has written it last, beside its data.',
    examples: ['drover resource get city 2950159 | jq .data', 'drover resource get city 2950159 --include country'],
    options: (command) => command.option('--include <field...>', 'references: the resources that they refer to, too'),
    run: async ({ client, output, signal }, [schema = '', id = ''], { include }) => {
      const found = await client.resources.get(schema, id, { signal, ...(include && { include }) });
      await output.write(`${jsonText(found, output.form === 'ndjson' ? undefined : 2)}\n`);
      return EXIT.done;
    },
  });
  addCommand<Limited>(resource, parts, {
    usage: 'list <schema>',
    summary: 'List resources, by external id',
    examples: ['drover resource list city --limit 5'],
    options: limitOption,
    run: async ({ client, output, signal }, [schema = ''], { limit }) => {
      await output.list(firstOf(client.resources.list(schema, { signal }), limit), COLUMNS, 'there is no resource');
      return EXIT.done;
    },
  });
  addCommand<Limited>(resource, parts, {
    usage: 'references <schema> <id>',
    summary: 'List the resources that refer to one',
    examples: ['drover resource references country DE'],
    options: limitOption,
    run: async ({ client, output, signal }, [schema = '', id = ''], { limit }) => {
      const referrers = client.resources.references(schema, id, { signal });
      await output.list(firstOf(referrers, limit), REFERRER_COLUMNS, 'nothing refers to it');
      return EXIT.done;
    },
  });
}
