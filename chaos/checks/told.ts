import type { Journal } from '../record/journal.ts';
import type { Snapshot } from '../record/snapshot.ts';
import { TERMINAL_STATUSES } from '../workload/answers.ts';
import type { Violation } from './violation.ts';

interface Ended {
  readonly tenant: string;
  readonly id: string;
  readonly type: string;
}

/** The last end of each batch and import of a tenant with a webhook, as its receiver is to be told of it. */
function endsOf({ webhooks }: Journal, { tenants }: Pick<Snapshot, 'tenants'>): Ended[] {
  const isTold = new Set(webhooks.map(({ tenant }) => tenant));
  return tenants.flatMap(({ tenant, batches, imports }): Ended[] => {
    if (!isTold.has(tenant)) return [];
    const end = (noun: string, id: string, status: string): Ended[] =>
      TERMINAL_STATUSES.includes(status)
        ? [{ tenant, id, type: `${noun}.${status === 'cancelled' ? 'cancelled' : 'completed'}` }]
        : [];
    return [
      ...batches.flatMap(({ batch }) => end('batch', batch.batchId, batch.status)),
      ...imports.flatMap(({ answer }) => end('import', answer.importId, answer.status)),
    ];
  });
}

/** Every end arrives at the receiver at least once, whatever has failed on the way. */
export function checkTold(journal: Journal, snapshot: Pick<Snapshot, 'tenants'>): Violation[] {
  const told = new Set(journal.told.map(({ tenant, type, id }) => `${tenant} ${type} ${id}`));
  return endsOf(journal, snapshot).flatMap(({ tenant, id, type }): Violation[] =>
    told.has(`${tenant} ${type} ${id}`)
      ? []
      : [{ rule: 'not told', tenant, batchId: id, detail: `no message ${type} has arrived` }],
  );
}

/** What clients have seen of batches with a start time: nothing of them was done before. */
export function checkStartTimes({ requests, seen, reads, controls }: Journal): Violation[] {
  const retried = new Set(controls.flatMap(({ verb, batchId }) => (verb === 'retry' ? [batchId] : [])));
  return requests.flatMap((request): Violation[] => {
    const { tenant, number, results } = request;
    const startAt = Date.parse(request.options.startAt ?? '');
    const ids = new Set(results.flatMap((result) => (result.kind === 'accepted' ? [result.batchId] : [])));
    // a retry is a request of its own, whose start is not put off
    if (!(startAt > 0) || [...ids].some((id) => retried.has(id))) return [];
    const mark = `${tenant}.${number}.`;
    const early = reads.find(
      ({ to, resource }) =>
        to < startAt &&
        Object.values(resource?.data ?? {}).some((value) => typeof value === 'string' && value.startsWith(mark)),
    );
    const done = seen.find(
      ({ batchId, by, items }) =>
        ids.has(batchId) && by < startAt && items.some(({ status }) => status === 'succeeded'),
    );
    if (early === undefined && done === undefined) return [];
    const what = early ? `${early.kind}/${early.externalId} was written` : `${done?.batchId} had ended`;
    return [{ rule: 'began early', tenant, request: number, detail: `${what} before ${request.options.startAt}` }];
  });
}
