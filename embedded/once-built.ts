import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { hold } from './exclusive.ts';

/** Prints one line for the user. */
export type Say = (line: string) => void;

/** An announcement is repeated after this long, in ms, so that a slow build is not taken for a hanging one. */
const STILL_EVERY_MS = 15_000;

/**
 * Returns the path after making sure that its content was built: here, by an earlier run, or by another process that is building
 * it now. `build` fills another path; only a complete result is moved to `path`.
 */
export async function onceBuilt(
  path: string,
  what: string,
  say: Say,
  build: (unfinished: string) => Promise<void>,
): Promise<string> {
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const held = await hold(path, () => say(`waiting for another process: ${what}`));
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
