import type { Journal, SentRequest, Verb } from '../record/journal.ts';
import type { Snapshot } from '../record/snapshot.ts';
import type { ItemAnswer, JsonObject } from '../workload/answers.ts';
import { isKnownField, kindOf } from '../workload/definitions.ts';
import type { Match } from './matched.ts';
import type { Effect, Event, State } from './model.ts';
import { isPartial } from './outcomes.ts';
import { type Gone, goneRequests } from './removals.ts';

/** A succeeded write or delete of one resource. */
interface Done {
  readonly match: Match;
  readonly item: ItemAnswer;
  readonly event: Event;
}

/** All that is known of one resource: `tenant kind/externalId`. */
export interface History {
  readonly tenant: string;
  /** `kind/externalId` */
  readonly key: string;
  readonly events: Event[];
  readonly writes: Done[];
  readonly removals: Done[];
  /** What items may have done whose batch was removed. */
  readonly maybes: Event[];
  readonly end: State;
}

export const historyId = (tenant: string, kind: string, externalId: string): string =>
  `${tenant} ${kind}/${externalId}`;

/** Sorts outcomes and reads by the resource that they are about. */
export function historiesOf(
  journal: Journal,
  snapshot: Snapshot,
  matches: readonly Match[],
  controls: ReadonlyMap<string, ReadonlySet<Verb>>,
): Map<string, History> {
  const histories = new Map<string, History>();
  const ends = new Map(
    snapshot.tenants.flatMap(({ tenant, resources }) =>
      resources.map(
        ({ kind, resourceExternalId, data, versionNumber }) =>
          [historyId(tenant, kind, resourceExternalId), { data, version: versionNumber }] as const,
      ),
    ),
  );
  const of = (tenant: string, kind: string, externalId: string): History => {
    const id = historyId(tenant, kind, externalId);
    const known = histories.get(id) ?? {
      tenant,
      key: `${kind}/${externalId}`,
      events: [],
      writes: [],
      removals: [],
      maybes: [],
      end: ends.get(id) ?? null,
    };
    histories.set(id, known);
    return known;
  };
  for (const { tenant, resources } of snapshot.tenants)
    for (const { kind, resourceExternalId } of resources) of(tenant, kind, resourceExternalId);
  for (const match of matches) addBatch(match, controls.get(match.state.batch.batchId)?.has('retry') ?? false, of);
  for (const gone of goneRequests(journal, matches)) addGone(gone, of);
  for (const { tenant, kind, externalId, from, to, resource } of journal.reads) {
    const state = resource && { data: resource.data, version: resource.versionNumber };
    of(tenant, kind, externalId).events.push({ what: 'a read', from, to, effect: { kind: 'read', state } });
  }
  return histories;
}

function addBatch(
  match: Match,
  isRetried: boolean,
  of: (tenant: string, kind: string, externalId: string) => History,
): void {
  const { tenant, request, state, from, endedBy } = match;
  const { batchId } = state.batch;
  const last = new Map<string, Event>();
  const { dependencyWaitTimeout = 0, untilEndOfImport = false } = request.options;
  const inOrder = request.operation !== 'delete' && dependencyWaitTimeout === 0 && !untilEndOfImport && !isRetried;
  const seen = new Set<string>();
  for (const item of state.items ?? []) {
    const { externalId, index } = item;
    // an id given twice to a delete has its first outcome twice
    if (externalId === null || (request.operation === 'delete' && seen.has(externalId))) continue;
    seen.add(externalId);
    const effect = effectOf(request, item);
    if (effect === null) continue;
    const before = last.get(externalId);
    const event: Event = {
      what: `item ${index} of ${request.operation} ${batchId} (request ${request.number})`,
      from,
      to: endedBy,
      effect,
      ...(inOrder && before !== undefined && { after: [before] }),
    };
    last.set(externalId, event);
    const history = of(tenant, request.kind, externalId);
    history.events.push(event);
    if (effect.kind === 'removed') history.removals.push({ match, item, event });
    else if ('body' in effect) history.writes.push({ match, item, event });
  }
}

/** Longest time after which a command still has its effect that was under way when its batch was removed: its server may be paused, in ms. */
const LATEST_MS = 120_000;

/** A batch that was removed: each item may have done what it was to do, once, before or soon after the answer. */
function addGone(
  { request, batchId, removedAt }: Gone,
  of: (tenant: string, kind: string, externalId: string) => History,
): void {
  const { tenant, kind, operation, number, items, options, sentAt } = request;
  const seen = new Set<string>();
  for (const [index, { externalId, body = {}, fault }] of items.entries()) {
    if (externalId === null || fault !== undefined || (operation === 'delete' && seen.has(externalId))) continue;
    seen.add(externalId);
    const what = `item ${index} of ${operation} ${batchId}, removed (request ${number})`;
    const effect: Effect = { kind: 'maybe', effects: possibleEffects(operation, options, known(request, body)) };
    const event: Event = { what, from: sentAt, to: removedAt + LATEST_MS, effect };
    const history = of(tenant, kind, externalId);
    history.events.push(event);
    history.maybes.push(event);
  }
}

function possibleEffects(
  operation: SentRequest['operation'],
  { onconflict }: SentRequest['options'],
  body: JsonObject,
): Effect[] {
  if (operation === 'delete') return [{ kind: 'removed' }];
  const updated = { kind: 'updated', body } as const;
  if (operation === 'patch') return [updated];
  const created = { kind: 'created', body } as const;
  return onconflict === 'reject' ? [created] : [created, updated];
}

/** Effects that events may have had whose batch is gone. */
export const maybeEffects = ({ maybes }: History): Effect[] =>
  maybes.flatMap(({ effect }) => (effect.kind === 'maybe' ? effect.effects : []));

/** What an outcome says of the resource; null where it says nothing. */
function effectOf(request: SentRequest, { index, status, action, errors = [] }: ItemAnswer): Effect | null {
  const has = (code: string): boolean => errors.some((error) => error.code === code);
  const sent = request.items[index];
  switch (status) {
    case 'succeeded':
      if (action === 'deleted') return { kind: 'removed' };
      return { kind: action as 'created' | 'updated' | 'unchanged', body: known(request, sent?.body ?? {}) };
    case 'skipped':
      return has('not_found') ? { kind: 'absent' } : { kind: 'present' };
    case 'failed':
      if (has('conflict')) return { kind: 'present' };
      if (has('not_found')) return { kind: 'absent' };
      return sent?.fault === undefined &&
        isPartial(request.kind, sent?.body ?? {}) &&
        (has('validation') || has('required_field'))
        ? { kind: 'absent' }
        : null;
    default:
      return null;
  }
}

/** What of a body is saved. */
function known(request: SentRequest, body: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([field]) => isKnownField(kindOf(request.kind), field)));
}
