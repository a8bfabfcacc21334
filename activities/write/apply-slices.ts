import { indivisibleSlices } from '../../domain/schema/indivisible.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { CHECK_EVERY_MS, type ControlCheck, RESOURCES_PER_SLICE } from '../control/control-check.ts';
import type { WorkItem } from './work-items.ts';
import { findFor, type WriteResult, type Writing, writeItems } from './write-items.ts';

/** Fewest resources in a slice, however slow they are. */
const FEWEST_PER_SLICE = 10;

/**
 * Writes items slice after slice, and checks before each that the batch is not suspended or cancelled. All are looked up together
 * at first; a slice that touches what an earlier one has written looks again.
 * @param complete stores what has become of a slice: each is complete before the next one begins.
 * @returns the items that were not begun.
 */
export async function applySlices(
  context: Writing,
  control: ControlCheck,
  work: readonly WorkItem[],
  complete: (results: ReadonlyMap<WorkItem, WriteResult>) => Promise<void>,
): Promise<readonly WorkItem[]> {
  let size = RESOURCES_PER_SLICE;
  let done = 0;
  const written = new Set<ResourceKey>();
  const seen = await findFor(context, work);
  for (const slice of indivisibleSlices(work, () => size)) {
    const halt = done === 0 ? await control.inTime() : await control.now();
    if (halt !== null) break;
    const began = performance.now();
    const isSeen = seen.look.undecided.size === 0 && !slice.some((item) => touches(item, written));
    await complete(await writeItems(context, slice, isSeen ? seen : undefined));
    done += slice.length;
    for (const { key } of slice) written.add(key);
    if (performance.now() - began > CHECK_EVERY_MS) size = Math.max(FEWEST_PER_SLICE, Math.floor(size / 2));
  }
  return work.slice(done);
}

const touches = ({ key, references }: WorkItem, written: ReadonlySet<ResourceKey>): boolean =>
  written.has(key) || references.some((reference) => written.has(reference.key));
