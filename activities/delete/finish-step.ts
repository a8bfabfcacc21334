import { isUndoable } from '../../domain/batch/batch.ts';
import { type DeletionStep, markStepDone, unfinishedSteps } from '../../isolation/deletes/deletion-steps.ts';
import { deletedKeys, endGroups } from '../../isolation/deletes/step-groups.ts';
import type { CommitDocument } from '../../isolation/groups/groups.ts';
import { removeMarkedForDeletion } from '../../isolation/resources/write-resources.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { confirmDeletion } from '../../store/items/before-images.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';
import { writeDecided } from './deletion-outcomes.ts';

/** Number of the keys deleted by a step that no item requested. */
export async function cascadedKeys(
  database: Database,
  step: DeletionStep,
  commit: CommitDocument | null,
): Promise<number> {
  const deleted = await deletedKeys(database, step, commit);
  return deleted.filter((key) => step.targets.get(key)?.items.length === 0).length;
}

/** Functions called in between: before each write, and when the resources are removed. */
interface FinishHooks {
  readonly beforeWrite?: () => void;
  readonly removed?: () => Promise<void>;
}

/** Finishes a step whose group is decided: its resources are removed, its items get their outcomes. Safe to repeat. */
export async function finishStep(
  database: Database,
  batch: BatchDocument,
  step: DeletionStep,
  commit: CommitDocument | null,
  { beforeWrite, removed }: FinishHooks = {},
): Promise<void> {
  const deleted = await deletedKeys(database, step, commit);
  if (deleted.length > 0 && isUndoable(batch)) {
    beforeWrite?.();
    await confirmDeletion(database, commit?._id ?? '');
  }
  for (const some of parts(deleted)) {
    beforeWrite?.();
    await removeMarkedForDeletion(database, commit?._id ?? '', some);
  }
  await removed?.();
  const action = batch.operation === 'undo' ? 'reverted' : 'deleted';
  const asked = deleted.flatMap((key) => {
    const indexes = step.targets.get(key)?.items ?? [];
    return indexes.length > 0 ? [{ indexes, outcome: { status: 'succeeded', action } as const }] : [];
  });
  beforeWrite?.();
  await writeDecided(database, batch, asked);
}

/**
 * Finishes steps of this batch that were left half done, when no activity works on any of them: a committed step is
 * completed, with its outcomes (invariant 2), any other is aborted. Costs one read if nothing is left. Safe to repeat.
 */
export async function finishSteps(database: Database, batch: BatchDocument): Promise<void> {
  for await (const step of unfinishedSteps(database, batch._id, batch.run)) {
    const commit = await endGroups(database, step);
    await finishStep(database, batch, step, commit);
    await markStepDone(database, step.id, await cascadedKeys(database, step, commit));
  }
}
