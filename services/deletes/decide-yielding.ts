import { runYielding } from '../../domain/collections/run-yielding.ts';
import { BYTES_TO_DECIDE, type NumberedDecision, numberedDecision } from '../../domain/delete/decide-deletion.ts';
import type { Loading } from './load-deletion-graph.ts';

/** Decides a delete on the loaded graph, for a dry run and for the real run; the references are released. */
export async function decideYielding(
  { linked, cascade, charge, progress }: Pick<Loading, 'linked' | 'cascade' | 'charge' | 'progress'>,
  targets: Uint8Array,
): Promise<NumberedDecision> {
  charge(linked.size * BYTES_TO_DECIDE.resource + linked.references * BYTES_TO_DECIDE.reference);
  const decision = await runYielding(numberedDecision(linked, targets, cascade), progress);
  linked.forgetReferences();
  return decision;
}
