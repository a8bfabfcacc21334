import { batchIdsOf, type Journal, type Removal, type SentRequest } from '../record/journal.ts';
import type { Snapshot } from '../record/snapshot.ts';
import type { Match } from './matched.ts';
import type { Violation } from './violation.ts';

/** Items that may have been under way at the time of the answer: one slice of the running activity. */
const SLICE = 100;

/** Whether a request to remove a batch was answered so that the batch is gone, or lost, so that it may be. */
export const isRemoved = ({ status }: Removal): boolean => status === 200;
const mayBeRemoved = ({ status }: Removal): boolean => status === null || status === 200 || status >= 500;

/** A request whose batch is not there any more: whether its items have done anything is not known. */
export interface Gone {
  readonly request: SentRequest;
  readonly batchId: string;
  /** When it was removed, in ms since 1970; infinite where the answer was lost. */
  readonly removedAt: number;
}

export function goneRequests(journal: Journal, matches: readonly Match[]): Gone[] {
  const there = new Set(matches.flatMap(({ state: { batch } }) => [batch.batchId, batch.importId ?? '']));
  const removals = removalsByBatch(journal);
  return journal.requests.flatMap((request) =>
    batchIdsOf(request).flatMap((batchId): Gone[] => {
      const answered = removals.get(batchId)?.map(({ answeredAt }) => answeredAt);
      if (answered === undefined || there.has(batchId)) return [];
      return [{ request, batchId, removedAt: Math.min(...answered) }];
    }),
  );
}

/** Batch -> requests that may have removed it. */
export function removalsByBatch({ removals }: Journal): Map<string, Removal[]> {
  const byBatch = new Map<string, Removal[]>();
  for (const removal of removals) {
    if (!mayBeRemoved(removal)) continue;
    byBatch.set(removal.batchId, [...(byBatch.get(removal.batchId) ?? []), removal]);
  }
  return byBatch;
}

/** What was removed is a 404 from the answer on, is in no list, and does nothing more. */
export function checkRemovals(journal: Journal, { tenants, stillAnswered }: Snapshot): Violation[] {
  const listed = new Set(
    tenants.flatMap(({ batches, imports }) => [
      ...batches.map(({ batch }) => batch.batchId),
      ...imports.map((imported) => imported.answer.importId),
    ]),
  );
  const stored = new Map(
    tenants.map(({ tenant, resources }) => [
      tenant,
      new Set(resources.map(({ kind, resourceExternalId }) => `${kind}/${resourceExternalId}`)),
    ]),
  );
  return journal.removals.filter(isRemoved).flatMap(({ tenant, batchId, sample }): Violation[] => {
    const about = { tenant, batchId };
    const found: Violation[] = [];
    if (listed.has(batchId)) found.push({ ...about, rule: 'removed and there', detail: 'it is in the list' });
    if (stillAnswered.includes(batchId))
      found.push({ ...about, rule: 'removed and there', detail: 'the API returns it' });
    if (sample !== undefined) {
      const end = sample.ids.filter((id) => stored.get(tenant)?.has(`${sample.kind}/${id}`)).length;
      if (end > sample.done + Math.ceil(SLICE / sample.every))
        found.push({
          ...about,
          rule: 'went on',
          detail: `${sample.done} of ${sample.ids.length} resources were there when it was removed, later ${end}`,
        });
    }
    return found;
  });
}
