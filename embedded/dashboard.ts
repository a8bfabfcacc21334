import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { builtDashboard } from '../api/dashboard/files.ts';
import { cacheDirectory } from './cache.ts';
import { onceBuilt, type Say } from './once-built.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DASHBOARD = 'packages/dashboard';
/** What the built files depend on. */
const SOURCES = [`${DASHBOARD}/src`, 'packages/client/src'];
const SETTINGS = [`${DASHBOARD}/index.html`, `${DASHBOARD}/vite.config.ts`, 'package-lock.json'];
const HASH_LENGTH = 16;

/**
 * The dashboard, built from this checkout: once for each state of its sources, in some seconds.
 * @returns its folder; null if it cannot be built, of which the user is told: everything else works without it.
 */
export async function dashboardOfCheckout(say: Say): Promise<string | null> {
  // an installed package has the files, and not their sources
  if (!existsSync(join(ROOT, DASHBOARD, 'src'))) return builtDashboard();
  try {
    const folder = join(cacheDirectory(), `dashboard-${hashOf(filesBelow())}`);
    return await onceBuilt(folder, 'building the dashboard', say, build);
  } catch (error) {
    say(`there is no dashboard: ${error instanceof Error ? error.message : error}`);
    return null;
  }
}

const filesBelow = (): string[] => [
  ...SETTINGS,
  ...SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(ROOT.length))
      .sort(),
  ),
];

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(ROOT, file)));
  return hash.digest('hex').slice(0, HASH_LENGTH);
}

/** @throws if Vite is not installed, as after `npm ci --omit=dev`, or the sources have a fault. */
async function build(folder: string): Promise<void> {
  const { resolve } = createRequire(join(ROOT, DASHBOARD, 'package.json'));
  const vite = join(dirname(resolve('vite/package.json')), 'bin/vite.js');
  const options = ['--outDir', folder, '--logLevel', 'error'];
  await promisify(execFile)(process.execPath, [vite, 'build', join(ROOT, DASHBOARD), ...options]);
}
