import type { Journal, SentRequest, Verb } from '../record/journal.ts';
import type { Snapshot } from '../record/snapshot.ts';
import type { ItemAnswer, JsonObject } from '../workload/answers.ts';
import { isKnownField, kindOf } from '../workload/definitions.ts';
import type { Match } from './matched.ts';
import type { Effect, Event, State } from './model.ts';
import { isPartial } from './outcomes.ts';
import { type Gone, goneRequests } from './removals.ts';
import type { UndoMatch } from './undos.ts';

/** A succeeded write or delete of one resource. */
interface Done {
  readonly match: Match;
  readonly item: ItemAnswer;
  readonly event: Event;
  /** It has no item in its batch. */
  readonly isCascaded?: true;
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
  /** What undos have taken back, and how many of these have created the resource again, or removed it, certainly or perhaps. */
  readonly reverted: Event[];
  readonly undone: { created: number; removed: number; perhapsRemoved: number };
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
  undos: readonly UndoMatch[] = [],
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
      reverted: [],
      undone: { created: 0, removed: 0, perhapsRemoved: 0 },
      end: ends.get(id) ?? null,
    };
    histories.set(id, known);
    return known;
  };
  for (const { tenant, resources } of snapshot.tenants)
    for (const { kind, resourceExternalId } of resources) of(tenant, kind, resourceExternalId);
  const undone = new Set(undos.map(({ undone }) => undone));
  for (const match of matches)
    addBatch(match, controls.get(match.state.batch.batchId)?.has('retry') ?? false, undone.has(match), of);
  for (const undo of undos) addUndo(undo, of);
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
  isUndone: boolean,
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
      ...(isUndone && { undone: batchId }),
      ...(inOrder && before !== undefined && { after: [before] }),
    };
    last.set(externalId, event);
    const history = of(tenant, request.kind, externalId);
    history.events.push(event);
    if (effect.kind === 'removed') history.removals.push({ match, item, event });
    else if ('body' in effect) history.writes.push({ match, item, event });
  }
}

/**
 * What an undo has taken back of each resource. Resources that a cascade of the batch has deleted have no item there: that the batch has deleted them is
 * known from its undo.
 */
function addUndo(
  { undone: match, state, from, endedBy, items }: UndoMatch,
  of: (tenant: string, kind: string, externalId: string) => History,
): void {
  const { tenant, request } = match;
  const { batchId } = match.state.batch;
  const isDelete = request.operation === 'delete';
  const byKey = new Map<History, UndoMatch['items'][number][]>();
  for (const one of items) {
    const history = of(tenant, one.kind, one.externalId);
    byKey.set(history, [...(byKey.get(history) ?? []), one]);
  }
  for (const [history, own] of byKey) {
    const done = [...history.writes, ...history.removals].filter((one) => one.match === match);
    const [first] = own;
    if (isDelete && done.length === 0 && first !== undefined) {
      const what = `cascade of delete ${batchId} (request ${request.number})`;
      const event: Event = { what, from: match.from, to: match.endedBy, effect: { kind: 'removed' }, undone: batchId };
      history.events.push(event);
      history.removals.push({ match, item: first.item, event, isCascaded: true });
    }
    if (!own.some(({ item }) => item.status === 'succeeded')) continue;
    const what = `undo ${state.batch.batchId} of ${request.operation} ${batchId} (request ${request.number})`;
    const event: Event = { what, from, to: endedBy, effect: { kind: 'reverted', of: batchId } };
    history.events.push(event);
    history.reverted.push(event);
    const created = done.filter((one) => one.event.effect.kind === 'created').length;
    const changed = done.filter(
      ({ event: { effect } }) => effect.kind === 'created' || effect.kind === 'updated',
    ).length;
    if (isDelete) history.undone.created += 1;
    else if (created > 0 && changed === 1) history.undone.removed += 1;
    else if (created > 0) history.undone.perhapsRemoved += 1;
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
