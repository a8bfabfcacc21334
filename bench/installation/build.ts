import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that this file is in. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const RESULTS = 'bench-results';

/** Where the results go, and beside them what they were measured on. */
export const RESULTS_FOLDER = join(ROOT, RESULTS);

/** What runs in processes of its own beside the service. */
const BENCH_PROCESSES = ['bench/peers', 'bench/data', 'bench/profile'];
/** What an earlier version has elsewhere is compiled where one of these imports it. */
const SERVICE = ['process', 'services', 'domain', 'store', 'isolation', 'activities', 'workflows', 'api', 'worker'];

/**
 * Compiles service and peers, so that what is measured is what a user runs.
 * @param root checkout that is compiled, with what it has installed: this one, or one of another version.
 * @returns the folder with the JavaScript.
 */
export function buildForBench(root: string): string {
  const results = join(root, RESULTS);
  const output = join(results, `build-${process.pid}`);
  const project = join(results, `tsconfig-${process.pid}.json`);
  mkdirSync(results, { recursive: true });
  const compilerOptions = { outDir: output, rootDir: '..', sourceMap: false, noEmitOnError: false };
  const include = [...SERVICE, ...BENCH_PROCESSES].map((path) => `../${path}`);
  writeFileSync(project, JSON.stringify({ extends: '../tsconfig.build.json', compilerOptions, include }));
  const compiler = join(createRequire(join(root, 'package.json')).resolve('typescript/package.json'), '../bin/tsc');
  try {
    execFileSync(process.execPath, [compiler, '-p', project], { stdio: 'pipe' });
  } catch (error) {
    // types that do not fit do not keep it from running
    if (!(error instanceof Error && 'status' in error)) throw error;
  } finally {
    rmSync(project);
  }
  return output;
}
