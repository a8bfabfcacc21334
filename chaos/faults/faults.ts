import type { NetworkWeights, StandingFault } from './network-faults.ts';

/** What disturbs a run. */
export interface Faults {
  /** Mean time between two kills, in ms; null: none. */
  readonly killEveryMs: number | null;
  /** Mean time between two times in which Temporal refuses every start, in ms; absent: none. */
  readonly refuseStartsEveryMs?: number;
  /** Mean time between two pauses of a process, in ms; null: none. A run of a minute has none. */
  readonly pauseEveryMs: number | null;
  readonly network: NetworkWeights;
  readonly standing: readonly StandingFault[];
}
