import { isUndoable } from '../../domain/batch/batch.ts';
import type { MarkedForDeletion } from '../../isolation/deletes/deletion-marks.ts';
import { markedResources } from '../../isolation/deletes/deletion-marks.ts';
import { imageId, imageOf, keepImages, noteDeletion, storedImages } from '../../store/items/before-images.ts';
import { partsByBytes } from '../../store/mongodb/parts.ts';
import type { StepWork } from './step-work.ts';

/** Resources, and bytes of them, that are copied in one command. */
const COPIED_AT_ONCE = 100;
const BYTES_AT_ONCE = 8 * 1024 * 1024;

/**
 * Keeps the resources that an undoable delete is about to commit the deletion of. They are marked, so nobody changes them meanwhile. What an attempt
 * has no time to copy, the next one does: it leaves out what is copied. The group is noted last, and confirmed once it is committed
 * (`finishStep`): so a state that this batch did not delete is never taken for one that it has deleted.
 */
export async function keepDeleted(work: StepWork, deleted: readonly MarkedForDeletion[]): Promise<void> {
  const { context, attempt, batch, step, group } = work;
  const { database } = context;
  if (!isUndoable(batch)) return;
  const ids = deleted.map((resource) => imageId(batch._id, resource));
  const copied = await storedImages(database, ids);
  const missing = deleted.filter((_, at) => !copied.has(ids[at] ?? ''));
  for (const some of partsByBytes(missing, COPIED_AT_ONCE, ({ bytes = BYTES_AT_ONCE }) => bytes, BYTES_AT_ONCE)) {
    attempt.assertInTime();
    const keys = some.map(({ _id }) => _id);
    const images = (await markedResources(database, group, keys)).map((resource) => {
      const index = step.targets.get(resource._id)?.items[0];
      return { ...imageOf(batch._id, resource), ...(index !== undefined && { index }) };
    });
    attempt.assertInTime();
    await keepImages(database, images);
  }
  attempt.assertInTime();
  await noteDeletion(database, ids, group);
}
