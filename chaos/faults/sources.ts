import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GUARDS, type Guard, type GuardName, type SourceChange } from './guards.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What is no part of a running service. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  '.git',
  '.drover',
  'bench-results',
  'dist',
  'docs',
  'node_modules',
  'packages',
  'test',
]);

/**
 * Copies the sources, so that processes that are started again run what the first ones ran; without a guard, if one is named:
 * the product itself has no switch for it.
 */
export async function copySources(folder: string, without?: GuardName): Promise<void> {
  const patched = without ? await filesWithout(without) : [];
  await cp(ROOT, folder, { recursive: true, filter: (path) => !LEFT_OUT.has(path.slice(ROOT.length)) });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, source } of patched) await writeFile(join(folder, file), source);
}

/**
 * The files that a guard, and what would repair the damage, are taken from. @throws where a text is not there: the guard has moved.
 * @internal exported for tests, which check that every guard is there
 */
export async function filesWithout(name: GuardName): Promise<{ file: string; source: string }[]> {
  const guard: Guard = GUARDS[name];
  const changes = guard.repair === undefined ? [guard] : [guard, guard.repair];
  return Promise.all(changes.map(async (change) => ({ file: change.file, source: await patchedFile(name, change) })));
}

/** @throws where the text to replace is not there exactly once. */
async function patchedFile(name: GuardName, { file, text, without }: SourceChange): Promise<string> {
  const source = await readFile(join(ROOT, file), 'utf8');
  const found = source.split(text).length - 1;
  if (found !== 1)
    throw new Error(`guard ${name}: ${file} has its text ${found} times, not once; correct chaos/faults/guards.ts`);
  return source.replace(text, () => without);
}
