import { checkHalts } from './checks/halts.ts';
import { historiesOf } from './checks/history.ts';
import { matchImports } from './checks/imports.ts';
import { matchBatches } from './checks/match.ts';
import { checkOutcomes, controlsByBatch } from './checks/outcomes.ts';
import { checkDangling, checkMissing, findSleepers } from './checks/references.ts';
import { checkRemovals } from './checks/removals.ts';
import { checkReads, checkResources, checkStored } from './checks/resources.ts';
import { checkStartTimes, checkTold } from './checks/told.ts';
import { checkUndos, matchUndos } from './checks/undos.ts';
import type { Violation } from './checks/violation.ts';
import type { Journal } from './record/journal.ts';
import type { Snapshot } from './record/snapshot.ts';

export interface Findings {
  readonly violations: readonly Violation[];
  /** Resources whose history has too many orders to try. */
  readonly undecided: number;
  readonly resources: number;
}

/**
 * Proves the invariants (docs/architecture.md) on what clients have sent and received, and on what is stored at the end. It
 * shares no code with the service, and does not depend on how the service works.
 */
export function check(sent: Journal, snapshot: Snapshot): Findings {
  const imports = matchImports(sent, snapshot);
  const journal = { ...sent, controls: [...sent.controls, ...imports.controls] };
  const { matches, violations } = matchBatches(journal, snapshot, imports.slices);
  const controls = controlsByBatch(journal);
  const undone = matchUndos(journal, snapshot, matches);
  const histories = historiesOf(journal, snapshot, matches, controls, undone.undos);
  const resources = checkResources(histories, matches);
  return {
    violations: [
      ...imports.violations,
      ...violations,
      ...undone.violations,
      ...checkUndos(undone.undos, controls),
      ...checkOutcomes(journal, matches),
      ...checkHalts(journal, matches),
      ...checkRemovals(journal, snapshot),
      ...resources.violations,
      ...checkReads(journal, histories),
      ...checkTold(journal, snapshot),
      ...checkStartTimes(journal),
      ...checkStored(journal, snapshot),
      ...checkDangling(journal, snapshot),
      ...checkMissing(histories, matches, { controls, clocksOffMs: journal.clocksOffMs }),
      ...snapshot.raw.leftovers.map((detail): Violation => ({ rule: 'left over', detail })),
      ...journal.wrongAnswers.map((detail): Violation => ({ rule: 'answer of a bug', detail })),
    ],
    undecided: resources.open,
    resources: histories.size,
  };
}

/** Pending items that sleep although they could be applied, in a state in which some batches wait. */
export function sleepers(journal: Journal, snapshot: Pick<Snapshot, 'tenants'>): Violation[] {
  const { slices } = matchImports(journal, snapshot);
  const { tenants } = snapshot;
  const all = { tenants, raw: { resources: [], leftovers: [] }, stillAnswered: [] };
  return findSleepers(matchBatches(journal, all, slices).matches, snapshot);
}
