import type { Journal, SentItem, SentRequest, Verb } from '../record/journal.ts';
import { canonical, type ItemAnswer, SETTLED_STATUSES, TERMINAL_STATUSES } from '../workload/answers.ts';
import { kindOf, referencesOf } from '../workload/definitions.ts';
import type { Match } from './matched.ts';
import type { Violation } from './violation.ts';

/** Each item has one terminal outcome, one that its request can have had, and the numbers of its batch say the same (invariants 1 and 2). */
export function checkOutcomes(journal: Journal, matches: readonly Match[]): Violation[] {
  const asked = controlsByBatch(journal);
  return [
    ...matches.flatMap((match) => checkBatch(match, asked.get(match.state.batch.batchId) ?? new Set())),
    ...checkSeen(journal, matches, asked),
  ];
}

/** Controls that a batch may have had: those that were refused have had no effect. */
export function controlsByBatch({ controls }: Journal): Map<string, Set<Verb>> {
  const byBatch = new Map<string, Set<Verb>>();
  for (const { batchId, verb, status } of controls) {
    if (status !== null && status >= 400 && status < 500) continue;
    byBatch.set(batchId, (byBatch.get(batchId) ?? new Set()).add(verb));
  }
  return byBatch;
}

function checkBatch({ tenant, request, state }: Match, asked: ReadonlySet<Verb>): Violation[] {
  const { batch, single, items } = state;
  const about = { tenant, batchId: batch.batchId, request: request.number };
  if (items === null) return [];
  const violations: Violation[] = [];
  const wrong = (rule: string, detail: string, item?: number): void => {
    violations.push({ ...about, rule, detail, ...(item !== undefined && { item }) });
  };
  if (!TERMINAL_STATUSES.includes(batch.status))
    wrong(
      'batch not ended',
      `it is ${batch.status}${batch.suspended ? ', suspended' : ''}, counts ${canonical(batch.counts)}`,
    );
  if (canonical(items.map(({ index }) => index)) !== canonical(items.map((_, at) => at)))
    wrong('items lost', 'their indexes are not 0, 1, 2, …');
  for (const item of items) {
    if (!SETTLED_STATUSES.includes(item.status)) wrong('item without outcome', `it is ${item.status}`, item.index);
    const sent = request.items[item.index];
    if (sent !== undefined && item.status !== 'cancelled') {
      const why = implausible(request, sent, item);
      if (why !== null) wrong('outcome that cannot be', `${why}: ${canonical(item)}`, item.index);
    }
    if (item.status === 'cancelled' && !asked.has('cancel'))
      wrong('outcome that cannot be', 'cancelled, although its batch was not cancelled', item.index);
  }
  for (const { what, reported, counted } of numbersOf(state.batch, items, request)) {
    if (canonical(reported) !== canonical(counted))
      wrong('numbers do not add up', `${what}: reported ${canonical(reported)}, counted ${canonical(counted)}`);
  }
  if (single === null) wrong('batch lost', 'it is in the list, and a 404 alone');
  else if (
    canonical([single.status, single.counts, single.actions]) !== canonical([batch.status, batch.counts, batch.actions])
  ) {
    wrong(
      'numbers do not add up',
      `alone it says ${canonical([single.status, single.counts, single.actions])}, in the list ${canonical([batch.status, batch.counts, batch.actions])}`,
    );
  }
  return violations;
}

/** Why this outcome cannot come of this item; null where it can. */
function implausible(request: SentRequest, sent: SentItem, { status, action, errors = [] }: ItemAnswer): string | null {
  const codes = errors.map(({ code }) => code);
  if (sent.fault !== undefined)
    return status === 'failed' && codes.includes(sent.fault)
      ? null
      : `it is wrong on purpose, and has to fail with ${sent.fault}`;
  const possible = possibleCodes(request, sent);
  switch (status) {
    case 'succeeded': {
      const actions =
        request.operation === 'delete'
          ? ['deleted']
          : request.operation === 'patch'
            ? ['updated', 'unchanged']
            : ['created', 'updated', 'unchanged'];
      if (!actions.includes(action ?? '')) return `a ${request.operation} does not end so`;
      return request.options.onconflict === 'reject' && action !== 'created'
        ? 'it rejects what is there, so it has created'
        : null;
    }
    case 'failed':
    case 'expired':
    case 'skipped': {
      const foreign = codes.filter((code) => !possible.includes(`${status} ${code}`));
      return codes.length === 0 || foreign.length > 0 ? `not a reason that it can have (${possible.join(', ')})` : null;
    }
    default:
      return null;
  }
}

function possibleCodes({ operation, options, kind }: SentRequest, { body = {} }: SentItem): string[] {
  if (operation === 'delete') return ['skipped not_found', 'skipped referenced'];
  const waits = (options.dependencyWaitTimeout ?? 0) > 0;
  const refers = referencesOf(kindOf(kind), body).length > 0;
  return [
    ...(operation === 'patch' ? ['failed not_found'] : []),
    ...(options.onconflict === 'reject' ? ['failed conflict'] : []),
    ...(refers ? [waits ? 'expired dependency_expired' : 'failed missing_dependency'] : []),
    ...(isPartial(kind, body) ? ['failed validation', 'failed required_field'] : []),
  ];
}

/** Without a required field: it can only update a resource that exists. */
export function isPartial(kind: SentRequest['kind'], body: object): boolean {
  return kindOf(kind).required.some((field) => !(field in body));
}

/** The numbers of the batch, and those counted from its items. */
function numbersOf(
  { counts, actions, progress, status, errors }: Match['state']['batch'],
  items: readonly ItemAnswer[],
  request: SentRequest,
) {
  const of = (...statuses: string[]): number => items.filter((item) => statuses.includes(item.status)).length;
  const did = (action: string): number => {
    const doers = items.filter((item) => item.action === action);
    // an id given twice to a delete has its first outcome twice, and has been deleted once
    return request.operation === 'delete' ? new Set(doers.map(({ externalId }) => externalId)).size : doers.length;
  };
  const successful = of('succeeded', 'skipped');
  const unsuccessful = of('failed', 'expired', 'cancelled');
  const codes: Record<string, number> = {};
  for (const item of items)
    for (const code of new Set(item.errors?.map((error) => error.code))) codes[code] = (codes[code] ?? 0) + 1;
  const ended = unsuccessful === 0 ? 'success' : successful === 0 ? 'failed' : 'partial_success';
  return [
    {
      what: 'counts',
      reported: counts,
      counted: Object.fromEntries(Object.keys(counts).map((name) => [name, of(name)])),
    },
    { what: 'total', reported: progress.totalRecords, counted: items.length },
    {
      what: 'actions',
      reported: { ...actions, cascaded: 0 },
      counted: {
        created: did('created'),
        updated: did('updated'),
        unchanged: did('unchanged'),
        deleted: did('deleted'),
        cascaded: 0,
      },
    },
    {
      what: 'progress',
      reported: [progress.processedRecords, progress.successfulRecords, progress.failedRecords],
      counted: [items.length, successful, unsuccessful],
    },
    { what: 'error codes', reported: errors?.summary ?? {}, counted: codes },
    { what: 'status', reported: status, counted: status === 'cancelled' ? 'cancelled' : ended },
  ];
}

/** What a client has seen as the end of an item is its end, unless a retry has taken up what failed. */
function checkSeen(
  journal: Journal,
  matches: readonly Match[],
  asked: ReadonlyMap<string, ReadonlySet<Verb>>,
): Violation[] {
  const now = new Map(matches.map((match) => [match.state.batch.batchId, match]));
  return journal.seen.flatMap(({ batchId, items }) => {
    const match = now.get(batchId);
    const isRetried = asked.get(batchId)?.has('retry') ?? false;
    return items.flatMap((seen): Violation[] => {
      const item = match?.state.items?.[seen.index];
      if (match === undefined || item === undefined || !SETTLED_STATUSES.includes(seen.status)) return [];
      if (isRetried && !['succeeded', 'skipped'].includes(seen.status)) return [];
      if (seen.status === item.status && seen.action === item.action) return [];
      const detail = `it was ${canonical(seen)}, and is ${canonical(item)}`;
      return [
        {
          tenant: match.tenant,
          batchId,
          request: match.request.number,
          item: seen.index,
          rule: 'outcome changed',
          detail,
        },
      ];
    });
  });
}
