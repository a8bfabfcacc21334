import { batchIdsOf, type Journal, type SentRequest } from '../record/journal.ts';
import type { BatchState, Snapshot, TenantState } from '../record/snapshot.ts';
import { canonical } from '../workload/answers.ts';
import type { ImportFindings } from './imports.ts';
import type { Match } from './matched.ts';
import { removalsByBatch } from './removals.ts';
import { isUndo } from './undos.ts';
import type { Violation } from './violation.ts';

/**
 * Finds the request of every batch: by the id in the answer, or, where the answer was lost, by the marks in its bodies. No accepted
 * batch is lost (invariant 1), stored twice, or stored in part.
 */
export function matchBatches(
  journal: Journal,
  snapshot: Snapshot,
  slices: ImportFindings['slices'],
): { matches: Match[]; violations: Violation[] } {
  const matches: Match[] = [];
  const violations: Violation[] = [];
  const byBatch = new Map(
    journal.requests.flatMap((request) => batchIdsOf(request).map((id) => [id, request] as const)),
  );
  const endedBy = ends(journal);
  const byNumber = new Map(journal.requests.map((request) => [request.number, request]));
  for (const tenantState of snapshot.tenants) {
    for (const state of tenantState.batches) {
      if (isUndo(state)) continue;
      const { batchId } = state.batch;
      const own = slices.get(batchId) ?? byBatch.get(batchId);
      const request = own ?? byNumber.get(markOf(state, tenantState) ?? -1);
      if (request === undefined)
        violations.push({
          rule: 'unknown batch',
          tenant: tenantState.tenant,
          batchId,
          detail: 'no client has sent its items',
        });
      else if (request.tenant !== tenantState.tenant) {
        violations.push({
          rule: 'tenants mixed',
          tenant: tenantState.tenant,
          batchId,
          request: request.number,
          detail: `the request was of tenant ${request.tenant}`,
        });
      } else {
        const from = Date.parse(state.batch.createdAt) - (slices.has(batchId) ? journal.clocksOffMs : 0);
        matches.push({ tenant: tenantState.tenant, request, state, from, endedBy: endedBy(state) });
      }
    }
  }
  violations.push(...checkRequests(journal, matches), ...matches.flatMap(checkContents));
  return { matches, violations };
}

/** The end of a batch as clients have seen it, or as a worker has noted it by its own clock. */
function ends({ seen, controls, clocksOffMs }: Journal): (state: BatchState) => number {
  const retried = new Set(controls.flatMap(({ verb, batchId }) => (verb === 'retry' ? [batchId] : [])));
  const seenBy = new Map(seen.flatMap(({ batchId, by }) => (retried.has(batchId) ? [] : [[batchId, by] as const])));
  return ({ batch: { batchId, completedAt } }) => {
    const noted = completedAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(completedAt) + clocksOffMs;
    return Math.min(noted, seenBy.get(batchId) ?? Number.POSITIVE_INFINITY);
  };
}

/** The number of the request, from a text that only it writes. */
function markOf({ bodies, items }: BatchState, { tenant }: TenantState): number | undefined {
  const texts = [
    ...bodies.flatMap((body) => Object.values(body ?? {})),
    ...(items ?? []).flatMap(({ externalId }) =>
      externalId?.startsWith('ghost.') ? [`${externalId.slice('ghost.'.length)}.`] : [],
    ),
  ];
  for (const text of texts) {
    const [of, number, ...more] = typeof text === 'string' ? text.split('.') : [];
    if (of === tenant && more.length > 0) return Number(number);
  }
  return undefined;
}

function checkRequests(journal: Journal, matches: readonly Match[]): Violation[] {
  const removals = removalsByBatch(journal);
  const found = new Map<SentRequest, Set<string>>();
  for (const { request, state } of matches)
    found.set(request, (found.get(request) ?? new Set()).add(state.batch.batchId));
  return journal.requests.flatMap((request): Violation[] => {
    if (request.import) return [];
    const about = { tenant: request.tenant, request: request.number };
    const named = batchIdsOf(request);
    const there = found.get(request) ?? new Set<string>();
    const lost = named.filter((id) => !there.has(id) && !removals.has(id));
    const isRefused = request.results.length > 0 && request.results.every(({ kind }) => kind === 'refused');
    return [
      ...(named.length > 1
        ? [{ ...about, rule: 'one key, two batches', detail: `answers named ${named.join(', ')}` }]
        : []),
      ...(there.size > 1 ? [{ ...about, rule: 'one request, two batches', detail: [...there].join(', ') }] : []),
      ...lost.map((batchId) => ({
        ...about,
        batchId,
        rule: 'batch lost',
        detail: 'it was accepted with 202 and is not there',
      })),
      ...(isRefused && there.size > 0
        ? [{ ...about, rule: 'refused and done', detail: `answers were ${JSON.stringify(request.results)}` }]
        : []),
    ];
  });
}

/** A batch is as it was sent: whole, in order. */
function checkContents({ tenant, request, state }: Match): Violation[] {
  const { batch, items, bodies } = state;
  const about = { tenant, batchId: batch.batchId, request: request.number };
  if (items === null) return [{ ...about, rule: 'incomplete batch', detail: 'its items are a 404' }];
  if (batch.operation !== request.operation)
    return [
      { ...about, rule: 'incomplete batch', detail: `it is a ${batch.operation}, sent was a ${request.operation}` },
    ];
  if (!request.options.deleteAll && items.length !== request.items.length) {
    return [{ ...about, rule: 'incomplete batch', detail: `${items.length} items, sent were ${request.items.length}` }];
  }
  const counts = request.results.flatMap((result) => (result.kind === 'accepted' ? [result.recordCount] : []));
  const wrong = counts.find((count) => count !== items.length);
  if (wrong !== undefined)
    return [
      { ...about, rule: 'numbers do not add up', detail: `recordCount was ${wrong}, there are ${items.length} items` },
    ];
  if (request.options.deleteAll) return [];
  return request.items.flatMap(({ externalId, body }, index): Violation[] => {
    if ((items[index]?.externalId ?? null) !== externalId) {
      return [
        {
          ...about,
          item: index,
          rule: 'incomplete batch',
          detail: `its id is ${items[index]?.externalId}, sent was ${externalId}`,
        },
      ];
    }
    if (body !== undefined && canonical(bodies[index] ?? null) !== canonical(body)) {
      return [
        {
          ...about,
          item: index,
          rule: 'incomplete batch',
          detail: `its body is ${canonical(bodies[index] ?? null)}, sent was ${canonical(body)}`,
        },
      ];
    }
    return [];
  });
}
