import { RESOURCES_PER_SLICE } from '../../domain/batch/plan-chunks.ts';
import { indivisibleSlices } from '../../domain/schema/indivisible.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import type { WorkItem } from '../../services/writes/work-items.ts';
import { CHECK_EVERY_MS, type ControlCheck } from '../control/control-check.ts';
import { type StoredState, type WriteResult, type Writing, writeItems } from './write-items.ts';

/** Smallest slice, for resources that take long. */
const FEWEST_PER_SLICE = 10;

/**
 * Writes items slice by slice, and checks before each slice that the batch is not suspended or cancelled. A slice that touches a
 * resource that an earlier slice has written reads what is stored again.
 * @param stored of all items; read under the intent.
 * @param complete stores the outcomes of a slice; it ends before the next slice begins.
 * @returns the items that were not begun.
 */
export async function applySlices(
  context: Writing,
  control: ControlCheck,
  work: readonly WorkItem[],
  stored: StoredState,
  complete: (results: ReadonlyMap<WorkItem, WriteResult>) => Promise<void>,
): Promise<readonly WorkItem[]> {
  let size = RESOURCES_PER_SLICE;
  let done = 0;
  const written = new Set<ResourceKey>();
  let halt = await control.inTime();
  for (const slice of indivisibleSlices(work, () => size)) {
    if (halt !== null) break;
    const began = performance.now();
    const isCurrent = stored.resources.undecided.size === 0 && !slice.some((item) => touches(item, written));
    const results = await writeItems(context, slice, isCurrent ? stored : undefined);
    done += slice.length;
    await complete(results);
    if (done < work.length) halt = await control.now();
    for (const { key } of slice) written.add(key);
    if (performance.now() - began > CHECK_EVERY_MS) size = Math.max(FEWEST_PER_SLICE, Math.floor(size / 2));
  }
  return work.slice(done);
}

const touches = ({ key, references }: WorkItem, written: ReadonlySet<ResourceKey>): boolean =>
  written.has(key) || references.some((reference) => written.has(reference.key));
