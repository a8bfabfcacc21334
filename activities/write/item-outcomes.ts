import { waitSecondsOf } from '../../domain/batch/batch.ts';
import type { ItemError } from '../../domain/batch/outcome.ts';
import { quoted, shortened } from '../../domain/json/shortened.ts';
import { MAX_ERRORS_PER_ITEM, MAX_MISSING_PER_OUTCOME } from '../../domain/limits.ts';
import type { BoundReference } from '../../domain/write/decide-writes.ts';
import { fieldOf } from '../../domain/write/references-in.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { WriteBatchDocument } from '../../store/batches/batches.ts';
import { type NewList, newList, storeLists } from '../../store/items/key-lists.ts';
import { hasWaited, type MissingKey, type StoredOutcome } from '../../store/items/outcomes.ts';
import type { PendingRegistration } from '../../store/items/pending-items.ts';
import { writeOutcomes } from '../../store/items/write-outcomes.ts';
import { currentAttempt } from '../../store/mongodb/command-time.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { WorkItem } from './work-items.ts';
import type { WriteResult } from './write-items.ts';

export const SCHEMA_GONE: ItemError = { code: 'not_found', message: 'the schema definition was deleted' };

/**
 * Stores the outcomes of items of one batch. The missing references of a pending item that its outcome cannot hold are stored first.
 * @param outcomes further outcomes to store; those of the results are added to them.
 * @param isFirst see `writeOutcomes`.
 * @returns the items that have become pending, to be registered.
 */
export async function storeResults(
  database: Database,
  batch: WriteBatchDocument,
  results: Iterable<readonly [WorkItem, WriteResult]>,
  outcomes: Map<number, StoredOutcome>,
  isFirst = false,
): Promise<PendingRegistration[]> {
  const pending: PendingRegistration[] = [];
  const lists: NewList[] = [];
  for (const [item, result] of results) {
    const outcome = toOutcome(batch, item, result);
    outcomes.set(item.index, outcome);
    if (outcome.status !== 'pending' || result.kind !== 'missing') continue;
    const missing = [...new Set(result.missing.map(({ key }) => key))];
    const isListed = (outcome.missingTotal ?? 0) > MAX_MISSING_PER_OUTCOME;
    const listed = isListed ? newList(`${batch._id}/${item.index}`, missing, batch.run) : undefined;
    if (listed) {
      outcome.missingList = listed.list;
      lists.push(listed);
    }
    pending.push({ key: item.key, index: item.index, missing, list: listed?.list });
  }
  await storeLists(database, lists);
  await writeOutcomes(database, batch, outcomes, isFirst);
  return pending;
}

/** Stores the outcomes of items that have failed, and of no others. */
export const storeFailures =
  (database: Database) =>
  async (results: ReadonlyMap<WorkItem, WriteResult>): Promise<void> => {
    for (const batch of new Set([...results.keys()].map((item) => item.batch))) {
      const own = [...results].flatMap(([item, result]) =>
        item.batch === batch ? [[item.index, toOutcome(batch, item, result)] as const] : [],
      );
      await writeOutcomes(database, batch, new Map(own.filter(([, { status }]) => status === 'failed')));
    }
  };

/** Keys of resources that items have created. A later attempt finds them again: the first one may have died before it woke all batches. */
export function createdKeys(results: ReadonlyMap<WorkItem, WriteResult>): ResourceKey[] {
  const keys = [...results].flatMap(([item, result]) => {
    const action =
      result.kind === 'finished' ? result.outcome.action : result.kind === 'written' ? result.action : undefined;
    return action === 'created' ? [item.key] : [];
  });
  return [...new Set(keys)];
}

const attemptsOf = (before: StoredOutcome | undefined): number =>
  before?.status === 'pending' ? before.attempts : (before?.attempts ?? 0) + 1;

export function failedOutcome(before: StoredOutcome | undefined, errors: readonly ItemError[]): StoredOutcome {
  return { status: 'failed', errors: [...errors], attempts: attemptsOf(before), ...hasWaited(before) };
}

/**
 * The outcome for a result: an item with missing references becomes pending if its batch has a wait timeout, and fails otherwise.
 * @internal exported for tests, which check it by itself
 */
export function toOutcome(batch: WriteBatchDocument, item: WorkItem, result: WriteResult): StoredOutcome {
  const attempts = attemptsOf(item.outcome);
  const waited = hasWaited(item.outcome);
  switch (result.kind) {
    case 'finished':
      return result.outcome;
    case 'written':
      return { status: 'succeeded', action: result.action, attempts, ...waited };
    case 'failed':
      return { status: 'failed', errors: [...result.errors], attempts, ...waited };
    case 'missing': {
      const each = eachOnce(result.missing);
      const missing = each.slice(0, MAX_MISSING_PER_OUTCOME).map(toMissingKey);
      const missed = { missing, missingTotal: each.length };
      const waitSeconds = waitSecondsOf(batch);
      if (waitSeconds > 0) {
        const since = item.outcome?.pendingSince ?? currentAttempt()?.now() ?? new Date();
        const expiresAt = item.outcome?.expiresAt ?? new Date(since.getTime() + waitSeconds * 1000);
        const references = item.references.length;
        return { status: 'pending', ...missed, references, pendingSince: since, expiresAt, attempts, ...waited };
      }
      const errors = result.missing.slice(0, MAX_ERRORS_PER_ITEM).map(missingError);
      return { status: 'failed', ...missed, errors, attempts };
    }
  }
}

function toMissingKey({ key, schemaDefinitionId, schemaName, externalId }: BoundReference): MissingKey {
  return { key, schemaName, externalId, ...(schemaDefinitionId !== undefined && { schemaDefinitionId }) };
}

/** All resources of a schema definition that does not exist yet share one key. */
function eachOnce(references: readonly BoundReference[]): BoundReference[] {
  return [...new Map(references.map((reference) => [`${reference.key}\n${reference.externalId}`, reference])).values()];
}

function missingError(reference: BoundReference): ItemError {
  const field = fieldOf(reference);
  const message = `${quoted(field)} refers to ${reference.schemaName} "${reference.externalId}", which does not exist`;
  return { code: 'missing_dependency', message, field: shortened(field) };
}
