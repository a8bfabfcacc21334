import { type BatchResult, isRetried } from '../../domain/batch/batch.ts';
import { noActions, noCounts } from '../../domain/batch/outcome.ts';
import { addTally, tallyOf } from '../../domain/batch/tally.ts';
import { hasAnotherPass, type ImportUndo } from '../../domain/bulk/bulk-operation.ts';
import { hasCode } from '../../domain/errors.ts';
import { MAX_DRY_RUN_MS } from '../../domain/limits.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import type { ImportDocument } from '../../store/imports/imports.ts';
import { nextImportBatch } from '../../store/imports/undone-imports.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import { assertInTime, decideUndo, type PreviewServices, type SharedPreview } from './preview-undo.ts';
import { assertCanBeUndone } from './undo-batch.ts';
import { undoableBatches } from './undo-import.ts';
import { UndoneState } from './undone-state.ts';

/** What the undo of an import would do: batches by what would become of them, items as a batch counts them. */
interface PreviewedImportUndo extends Pick<BatchResult, 'counts' | 'actions'> {
  readonly matched: number;
  readonly done: number;
  readonly skipped: number;
  readonly failed: Readonly<Record<string, number>>;
}

/** An import's undo as far as it is decided. */
interface ImportPreview {
  readonly services: PreviewServices;
  readonly importId: string;
  readonly shared: SharedPreview;
  /** By number of the batch. */
  readonly outcomes: Map<number, Map<number, StoredOutcome>>;
  done: number;
  skipped: number;
  failed: number;
}

/**
 * Decides the undo of an import as its workflow carries it out, batch after batch and pass after pass, each on what those before it would leave, and changes nothing.
 * @throws DroverError `operation_not_allowed` if it cannot be undone, `preview_timeout` after the deadline; MemoryExceededError if it has too many effects.
 */
export async function previewImportUndo(
  services: PreviewServices,
  imported: ImportDocument,
  deadline: number = Date.now() + MAX_DRY_RUN_MS,
): Promise<PreviewedImportUndo> {
  const { matched } = await undoableBatches(services.database, imported);
  return services.planningMemory.lend(async (charge) => {
    const preview: ImportPreview = {
      services,
      importId: imported._id,
      shared: { state: new UndoneState(), charge, deadline },
      outcomes: new Map(),
      done: 0,
      skipped: 0,
      failed: 0,
    };
    for (let number = 1; hasAnotherPass({ pass: number, ...(await pass(preview, number)) }); number++);
    const sum: BatchResult = { counts: noCounts(), actions: noActions(), errorCodes: {} };
    for (const own of preview.outcomes.values()) addTally(sum, tallyOf(own.values()));
    const { done, skipped, failed } = preview;
    return {
      matched,
      done,
      skipped,
      failed: failed > 0 ? { operation_not_allowed: failed } : {},
      counts: sum.counts,
      actions: sum.actions,
    };
  });
}

const isLeft = ({ status }: StoredOutcome): boolean => isRetried('undo', status);

async function pass(preview: ImportPreview, number: number): Promise<Pick<ImportUndo, 'left' | 'reverted'>> {
  const { services, importId, outcomes } = preview;
  const isDown = number % 2 === 1;
  const sum = { left: 0, reverted: 0 };
  for (
    let batch = await nextImportBatch(services.database, importId, null, isDown);
    batch !== null;
    batch = await nextImportBatch(services.database, importId, batch.importNumber ?? 0, isDown)
  ) {
    assertInTime(preview.shared.deadline);
    const before = number === 1 ? begun(preview, batch) : outcomes.get(batch.importNumber ?? 0);
    const open = before && (number === 1 || [...before.values()].some(isLeft));
    if (!open) continue;
    const decided = new Map([...before].filter(([, outcome]) => !isLeft(outcome)));
    const after = await decideUndo(services, batch, preview.shared, decided);
    outcomes.set(batch.importNumber ?? 0, after.outcomes);
    const left = [...after.outcomes.values()].filter(isLeft).length;
    sum.left += left;
    sum.reverted += after.outcomes.size - left - decided.size;
  }
  return sum;
}

/** No outcomes yet of a batch that is undone; undefined: it is not. */
function begun(preview: ImportPreview, batch: BatchDocument): Map<number, StoredOutcome> | undefined {
  if (batch.undoneBy !== undefined) {
    preview.skipped += 1;
    return undefined;
  }
  try {
    assertCanBeUndone(batch);
  } catch (error) {
    if (!hasCode(error, 'operation_not_allowed')) throw error;
    preview.failed += 1;
    return undefined;
  }
  preview.done += 1;
  return new Map();
}
