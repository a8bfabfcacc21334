import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { hold } from './exclusive.ts';

/** Says one line to whoever started us. */
export type Say = (line: string) => void;

/** An announcement is repeated after this long, so that a slow build does not look like a dead one; in ms. */
const STILL_EVERY_MS = 15_000;

/**
 * The path, after making sure that what belongs there was built: by us, by an earlier run, or by another process that is
 * at it now. `build` gets another path and fills it; only a whole result ever lies at `path`.
 */
export async function onceBuilt(
  path: string,
  what: string,
  say: Say,
  build: (unfinished: string) => Promise<void>,
): Promise<string> {
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const held = await hold(path, () => say(`waiting for another process that is at: ${what}`));
  const started = Date.now();
  const still = setInterval(
    () => say(`${what}: still at it after ${Math.round((Date.now() - started) / 1000)} s`),
    STILL_EVERY_MS,
  );
  const unfinished = `${path}.unfinished`;
  try {
    if (existsSync(path)) return path;
    say(`${what} (once, kept in ${dirname(path)})`);
    rmSync(unfinished, { recursive: true, force: true });
    await build(unfinished);
    renameSync(unfinished, path);
    return path;
  } finally {
    clearInterval(still);
    rmSync(unfinished, { recursive: true, force: true });
    await held.release();
  }
}
