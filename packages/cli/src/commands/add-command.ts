import type { Command } from 'commander';
import { type Context, contextOf, type ProgramParts } from '../context.ts';
import { UsageError } from '../exit.ts';

/** How a command is shown and run. */
interface CommandParts<O> {
  /** As commander writes it: `get <batch>`. */
  readonly usage: string;
  readonly summary: string;
  /** What help says below the summary. */
  readonly more?: string;
  readonly examples: readonly string[];
  /** Adds options. */
  readonly options?: (command: Command) => Command;
  /** @returns the exit code. */
  readonly run: (context: Context, args: readonly string[], options: O) => Promise<number>;
}

/** Adds a command with its help, examples and action. */
export function addCommand<O = Record<string, never>>(
  parent: Command,
  program: ProgramParts,
  { usage, summary, more, examples, options = (command) => command, run }: CommandParts<O>,
): void {
  const command = options(
    parent
      .command(usage)
      .summary(summary)
      .description(more ? `${summary}.\n\n${more}` : `${summary}.`),
  );
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
  command.action(async (...given: unknown[]) => {
    const args = given.slice(0, command.registeredArguments.length).flat() as string[];
    // a variable of a script that is not set
    const empty = args.indexOf('');
    if (empty !== -1) throw new UsageError(`${command.registeredArguments[empty]?.name() ?? 'an argument'} is empty`);
    program.exitCode = await run(await contextOf(program, command), args, command.opts() as O);
  });
}
