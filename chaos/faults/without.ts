import type { ChaosReport } from '../report.ts';
import { type ChaosOptions, runChaos } from '../run.ts';
import { GUARDS, type GuardName } from './guards.ts';

/** Runs a copy of the sources that lacks one guard, under the load that needs it. @returns whether the checker finds that out. */
export async function runWithout(
  name: GuardName,
  options: Omit<ChaosOptions, 'workload' | 'faults' | 'without' | 'keep'>,
): Promise<{ report: ChaosReport; isCaught: boolean }> {
  const { workload, faults, breaks, protects } = GUARDS[name];
  options.say?.(`without ${name} (${protects})`);
  const { report } = await runChaos({ ...options, workload, faults, without: name, keep: 'never' });
  return { report, isCaught: report.violations.some(({ rule }) => (breaks as readonly string[]).includes(rule)) };
}
