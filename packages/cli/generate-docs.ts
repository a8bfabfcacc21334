import { readFile, writeFile } from 'node:fs/promises';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { addCompletion } from './src/completion.ts';
import { createProgram } from './src/program.ts';

const TARGET = fileURLToPath(new URL('../../docs/cli.md', import.meta.url));
const MARK = '<!-- From here on: the help of each command, written by `npm run cli:docs`. -->\n';

/** `docs/cli.md`: what stands above the mark stays, and the help of every command follows. */
export async function generateDocs(): Promise<string> {
  const [written] = (await committedDocs()).split(MARK);
  return `${written}${MARK}\n${helpOf(theProgram())}`;
}

export const committedDocs = (): Promise<string> => readFile(TARGET, 'utf8');

function theProgram(): Command {
  const terminal = { out: process.stdout, err: process.stderr, in: process.stdin };
  const signal = new AbortController().signal;
  const program = createProgram({ terminal, signal, args: [], interruptLines: () => [], exitCode: 0, url: '' });
  addCompletion(program);
  return program;
}

function helpOf(program: Command): string {
  const sections: string[] = [];
  const add = (command: Command, path: string): void => {
    command.configureHelp({ showGlobalOptions: false, helpWidth: 110 });
    let text = '';
    command.configureOutput({ writeOut: (written) => (text += written), getOutHelpWidth: () => 110 });
    command.outputHelp();
    sections.push(`## ${path}\n\n\`\`\`text\n${text.trim()}\n\`\`\`\n`);
    for (const inner of command.commands) if (inner.name() !== 'help') add(inner, `${path} ${inner.name()}`);
  };
  add(program, 'drover');
  return sections.join('\n');
}

if (argv[1] === fileURLToPath(import.meta.url)) await writeFile(TARGET, await generateDocs());
