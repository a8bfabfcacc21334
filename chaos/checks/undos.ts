import type { Journal, UndoRequest, Verb } from '../record/journal.ts';
import type { BatchState, Snapshot } from '../record/snapshot.ts';
import { canonical, type ItemAnswer, SETTLED_STATUSES, TERMINAL_STATUSES } from '../workload/answers.ts';
import { KINDS, type KindName } from '../workload/definitions.ts';
import type { Match } from './matched.ts';
import type { Violation } from './violation.ts';

/** A batch that undoes another one. */
export interface UndoMatch {
  readonly tenant: string;
  readonly undone: Match;
  readonly state: BatchState;
  readonly from: number;
  readonly endedBy: number;
  readonly items: readonly UndoneItem[];
}

/** What an undo says of a resource. */
interface UndoneItem {
  readonly item: ItemAnswer;
  readonly kind: KindName;
  readonly externalId: string;
}

export const isUndo = ({ batch }: BatchState): boolean => batch.operation === 'undo';

/**
 * Finds what each undo undoes. An undo that was accepted is there, once; each was asked for, of the batch itself or of its import; and the batch says what
 * has undone it.
 */
export function matchUndos(
  journal: Journal,
  snapshot: Pick<Snapshot, 'tenants'>,
  matches: readonly Match[],
): { undos: UndoMatch[]; violations: Violation[] } {
  const byBatch = new Map(matches.map((match) => [match.state.batch.batchId, match]));
  const kinds = new Map(KINDS.map(({ name }) => [journal.definitions[name], name]));
  const asked = new Map<string, UndoRequest[]>();
  for (const request of journal.undos) asked.set(request.id, [...(asked.get(request.id) ?? []), request]);
  const undos: UndoMatch[] = [];
  const violations: Violation[] = [];
  const found = new Map<string, string[]>();
  for (const { tenant, batches } of snapshot.tenants) {
    for (const state of batches.filter(isUndo)) {
      const { batchId, options, createdAt, completedAt } = state.batch;
      const of = String(options.undoOf);
      const undone = byBatch.get(of);
      const wrong = (rule: string, detail: string): void => {
        violations.push({ tenant, batchId, rule, detail });
      };
      const requests = [of, undone?.state.batch.importId ?? ''].flatMap((id) => asked.get(id) ?? []);
      if (undone === undefined) wrong('unknown undo', `it undoes ${of}, which is not there`);
      else if (undone.tenant !== tenant) wrong('tenants mixed', `it undoes a batch of tenant ${undone.tenant}`);
      else if (!requests.some(({ status }) => status === null || status === 202 || status >= 500))
        wrong('unknown undo', `no client has asked for the undo of ${of}`);
      if (undone?.tenant !== tenant) continue;
      found.set(of, [...(found.get(of) ?? []), batchId]);
      if (undone.state.batch.undoneBy !== batchId)
        wrong('unknown undo', `${of} says that it is undone by ${undone.state.batch.undoneBy}`);
      const items = (state.items ?? []).flatMap((item, at): UndoneItem[] => {
        const [, , definition = '', ...rest] = (state.undoes?.[at] ?? '').split('/');
        const kind = kinds.get(definition);
        return kind === undefined ? [] : [{ item, kind, externalId: decodeURIComponent(rest.join('/')) }];
      });
      if (items.length !== (state.items ?? []).length) wrong('incomplete batch', 'an item has no resource');
      // a batch of an import is undone by a worker
      const from = Date.parse(createdAt) - journal.clocksOffMs;
      const endedBy =
        completedAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(completedAt) + journal.clocksOffMs;
      undos.push({ tenant, undone, state, from, endedBy, items });
    }
  }
  for (const [of, ids] of found)
    if (ids.length > 1) violations.push({ rule: 'undone twice', batchId: of, detail: ids.join(', ') });
  for (const { tenant, id, isImport, status, undoneBy } of journal.undos)
    if (status === 202 && !isImport && !(found.get(id) ?? []).includes(undoneBy ?? ''))
      violations.push({ rule: 'undo lost', tenant, batchId: id, detail: `${undoneBy} was accepted and is not there` });
  return { undos, violations };
}

const CODES = ['changed_since', 'referenced', 'missing_dependency', 'validation', 'required_field', 'not_found'];

/** Each item of an undo has one outcome that it can have, and there is one for each effect of what it undoes (invariant 9). */
export function checkUndos(undos: readonly UndoMatch[], controls: ReadonlyMap<string, ReadonlySet<Verb>>): Violation[] {
  return undos.flatMap(({ tenant, undone, state, items }): Violation[] => {
    const { batch } = state;
    const violations: Violation[] = [];
    const wrong = (rule: string, detail: string, item?: number): void => {
      violations.push({ tenant, batchId: batch.batchId, rule, detail, ...(item !== undefined && { item }) });
    };
    if (!TERMINAL_STATUSES.includes(batch.status)) wrong('batch not ended', `it is ${batch.status}`);
    for (const { item } of items) {
      const codes = (item.errors ?? []).map(({ code }) => code);
      const isCancelled = item.status === 'cancelled' && controls.get(batch.batchId)?.has('cancel');
      if (!SETTLED_STATUSES.includes(item.status)) wrong('item without outcome', `it is ${item.status}`, item.index);
      else if (item.status === 'succeeded' ? item.action !== 'reverted' : !isCancelled && !hasReason(codes))
        wrong('outcome that cannot be', canonical(item), item.index);
    }
    const did = effectsOf(undone);
    const own = items.filter(({ kind }) => kind === undone.request.kind).map(({ externalId }) => externalId);
    const missing = did.filter((id) => !own.includes(id));
    if (missing.length > 0) wrong('effect without undo', missing.join(', '));
    const count = undone.request.operation === 'delete' ? new Set(did).size + cascadedBy(undone) : did.length;
    if (items.length !== count) wrong('effect without undo', `${items.length} items undo ${count} effects`);
    const counted = Object.fromEntries(
      Object.keys(batch.counts).map((name) => [name, items.filter(({ item }) => item.status === name).length]),
    );
    if (canonical(counted) !== canonical(batch.counts))
      wrong('numbers do not add up', `reported ${canonical(batch.counts)}, counted ${canonical(counted)}`);
    return violations;
  });
}

const hasReason = (codes: readonly string[]): boolean =>
  codes.length > 0 && codes.every((code) => CODES.includes(code));

const cascadedBy = ({ state }: Match): number => state.batch.actions.cascaded ?? 0;

const CHANGES: readonly (string | undefined)[] = ['created', 'updated', 'deleted'];

/** Ids of the resources that the items of a batch have changed, one for each item. */
const effectsOf = ({ state }: Match): string[] =>
  (state.items ?? []).flatMap(({ action, externalId }) =>
    externalId !== null && CHANGES.includes(action) ? [externalId] : [],
  );
