import type { Instruction, ResourceBatch } from '../../domain/batch/batch.ts';
import { type ImportOptions, UNTIL_END_OF_IMPORT } from '../../domain/imports/import.ts';

/** The longest wait that is stored for items that wait until the end of their import, in seconds: 20 days. */
const LONGEST_WAIT_SECONDS = 20 * 86_400;

/** What an import has its batches do. */
export function instructionOf(options: ImportOptions): Instruction<ResourceBatch> {
  const { operation, onconflict, ignoreUnknownFields, dependencyWaitTimeout: wait } = options;
  const kept = options.undoable ? { undoable: true as const } : {};
  if (operation === 'delete')
    return { operation, options: { cascade: options.cascade === true, deleteAll: false, ...kept } };
  if (operation === 'patch') return { operation, options: { ignoreUnknownFields, ...kept } };
  // what is only checked knows all rows from the start
  const seconds = options.validateOnly ? 0 : wait;
  const dependencyWaitTimeout = seconds === UNTIL_END_OF_IMPORT ? LONGEST_WAIT_SECONDS : seconds;
  return { operation, options: { onconflict, ignoreUnknownFields, dependencyWaitTimeout, ...kept } };
}
