import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../../embedded/cache.ts';
import { buildForBench, ROOT } from './build.ts';

/** A version of Drover that is measured, ready to run. */
export interface Version {
  /** For reports: `this version`, or what it was named by and its commit. */
  readonly name: string;
  /** Folder of its sources. */
  readonly root: string;
  /** Folder with its JavaScript. */
  readonly build: string;
}

/** What is checked out here, changes included. */
export const thisVersion = (): Version => ({ name: 'this version', root: ROOT, build: buildForBench(ROOT) });

/**
 * An earlier version, by a branch, tag or commit of this repository: a worktree with what it has installed, which stays in the cache
 * (`DROVER_CACHE_DIR`) for the next run.
 * @throws Error of one line where there is no such version.
 */
export function earlierVersion(ref: string, say: (line: string) => void): Version {
  const commit = git('rev-parse', '--verify', '--end-of-options', `${ref}^{commit}`).trim();
  const root = join(cacheDirectory(), 'versions', commit);
  // written by npm when all is there
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) {
    say(`installing ${ref} in ${root}`);
    rmSync(root, { recursive: true, force: true });
    // a worktree whose folder was deleted is still registered
    git('worktree', 'prune');
    git('worktree', 'add', '--detach', root, commit);
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, stdio: 'pipe' });
  }
  return { name: `${ref} (${commit.slice(0, 9)})`, root, build: buildForBench(root) };
}

/** Removes what was compiled; a worktree stays. */
export function removeBuild({ build }: Version): void {
  rmSync(build, { recursive: true, force: true });
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new Error(`git ${args[0]}: ${said.split('\n')[0]}`, { cause: error });
  }
}
