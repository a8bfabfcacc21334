import { type Batch, isUndoable, type WriterBatch, waitSecondsOf } from '../../domain/batch/batch.ts';
import type { ItemAction, ItemError } from '../../domain/batch/outcome.ts';
import { quoted, shortened } from '../../domain/json/shortened.ts';
import { MAX_ERRORS_PER_ITEM, MAX_MISSING_PER_OUTCOME } from '../../domain/limits.ts';
import type { StateName } from '../../domain/undo/undo-entry.ts';
import type { BoundReference, WriteDecision } from '../../domain/write/decide-writes.ts';
import { fieldOf } from '../../domain/write/references-in.ts';
import { hasWaited, type MissingKey, type StoredOutcome } from '../../store/items/outcomes.ts';
import { currentAttempt } from '../../store/mongodb/command-time.ts';
import type { DecidedItem } from './work-items.ts';

export const SCHEMA_GONE: ItemError = { code: 'not_found', message: 'the schema definition was deleted' };

const attemptsOf = (before: StoredOutcome | undefined): number =>
  before?.status === 'pending' ? before.attempts : (before?.attempts ?? 0) + 1;

export function failedOutcome(before: StoredOutcome | undefined, errors: readonly ItemError[]): StoredOutcome {
  return { status: 'failed', errors: [...errors], attempts: attemptsOf(before), ...hasWaited(before) };
}

/** A decision, with the life of the resource that was written. */
export type AppliedDecision = WriteDecision & { readonly life?: string | undefined };

/** What the outcome of a write says beside its action, so that it can be undone. */
export const wroteOf = (
  batch: Batch,
  {
    action,
    version,
    life,
  }: { readonly action: ItemAction; readonly version: number; readonly life?: string | undefined },
): { wrote?: StateName } =>
  life !== undefined && action !== 'unchanged' && isUndoable(batch) ? { wrote: { id: life, version } } : {};

/** The outcome for a decision: an item with missing references becomes pending if its batch has a wait timeout, and fails otherwise. */
export function toOutcome(batch: WriterBatch, item: DecidedItem, decision: AppliedDecision): StoredOutcome {
  const attempts = attemptsOf(item.outcome);
  const waited = hasWaited(item.outcome);
  switch (decision.kind) {
    case 'written':
      return { status: 'succeeded', action: decision.action, attempts, ...waited, ...wroteOf(batch, decision) };
    case 'failed':
      return { status: 'failed', errors: [...decision.errors], attempts, ...waited };
    case 'skipped':
      return { status: 'skipped', errors: [...decision.errors], attempts };
    case 'missing': {
      const each = eachOnce(decision.missing);
      const missing = each.slice(0, MAX_MISSING_PER_OUTCOME).map(toMissingKey);
      const missed = { missing, missingTotal: each.length };
      const waitSeconds = waitSecondsOf(batch);
      if (waitSeconds > 0) {
        const since = item.outcome?.pendingSince ?? currentAttempt()?.now() ?? new Date();
        const expiresAt = item.outcome?.expiresAt ?? new Date(since.getTime() + waitSeconds * 1000);
        const references = item.references.length;
        return { status: 'pending', ...missed, references, pendingSince: since, expiresAt, attempts, ...waited };
      }
      const errors = decision.missing.slice(0, MAX_ERRORS_PER_ITEM).map(missingError);
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
