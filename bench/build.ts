import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the results go, and beside them what they were measured on. */
export const RESULTS_FOLDER = fileURLToPath(new URL('../bench-results', import.meta.url));

/** What runs in processes of its own beside the service. */
const BENCH_PROCESSES = ['../bench/peers', '../bench/data', '../bench/profile'];
const SERVICE = ['process', 'services', 'domain', 'store', 'isolation', 'activities', 'workflows', 'api', 'worker'];

/** Compiles service and peers, so that what is measured is what a user runs. @returns the folder. */
export function buildForBench(): string {
  const output = join(RESULTS_FOLDER, `build-${process.pid}`);
  const project = join(RESULTS_FOLDER, `tsconfig-${process.pid}.json`);
  mkdirSync(RESULTS_FOLDER, { recursive: true });
  const compilerOptions = { outDir: output, rootDir: '..', sourceMap: false, noEmitOnError: false };
  const include = [...SERVICE.map((path) => `../${path}`), ...BENCH_PROCESSES];
  writeFileSync(project, JSON.stringify({ extends: '../tsconfig.build.json', compilerOptions, include }));
  try {
    execFileSync(
      process.execPath,
      [fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json'))), '-p', project],
      { stdio: 'pipe' },
    );
  } catch (error) {
    // types that do not fit do not keep it from running
    if (!(error instanceof Error && 'status' in error)) throw error;
  } finally {
    rmSync(project);
  }
  return output;
}

export function removeBuild(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
