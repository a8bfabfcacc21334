import { copyWithout, GUARDS, type GuardName } from './guards.ts';
import type { ChaosReport } from './report.ts';
import { type ChaosOptions, runChaos } from './run.ts';

/** Runs a copy of the sources that lacks one guard, under the load that needs it. @returns whether the checker finds that out. */
export async function runWithout(
  name: GuardName,
  options: Omit<ChaosOptions, 'workload' | 'faults' | 'sources'>,
): Promise<{ report: ChaosReport; isCaught: boolean }> {
  const { workload, faults, breaks, protects } = GUARDS[name];
  options.say?.(`without ${name} (${protects})`);
  const copy = await copyWithout(name);
  try {
    const { report } = await runChaos({ ...options, workload, faults, sources: copy.folder, keep: 'never' });
    return { report, isCaught: report.violations.some(({ rule }) => (breaks as readonly string[]).includes(rule)) };
  } finally {
    await copy.remove();
  }
}
