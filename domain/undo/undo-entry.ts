import { appendTo } from '../collections/append-to.ts';
import type { ResourceKey } from '../write/resource.ts';

/** A state of a resource: its life, and the version in it. */
export interface StateName {
  readonly id: string;
  readonly version: number;
}

/** That an undo has brought back the data of an earlier version of the same life: true as long as the resource has the version `at`. */
export interface RestoredVersion {
  readonly at: number;
  readonly version: number;
}

/** The state of a resource, as far as undos compare it. */
export interface ComparedState extends Partial<StateName> {
  readonly restored?: RestoredVersion | undefined;
}

/** The version whose data a resource has: its own, or the earlier one that an undo has brought back. */
export const versionOfData = ({
  version,
  restored,
}: Pick<ComparedState, 'version' | 'restored'>): number | undefined =>
  restored !== undefined && restored.at === version ? restored.version : version;

/**
 * Whether a resource is in a state, or in one that an undo has taken back to it: so undos of several batches, the last one first, find each what its batch
 * has left. @param found absent: it does not exist. @param expected absent: it is not to exist.
 */
export const isInState = (found: ComparedState | undefined, expected: StateName | null | undefined): boolean =>
  expected
    ? found?.id === expected.id && (found.version === expected.version || versionOfData(found) === expected.version)
    : found === undefined;

/**
 * What an item of an undo does to its resource: `restore` takes it back to an earlier state, `remove` deletes what was created, `recreate` creates again what was
 * deleted; `stale`: its effect was overwritten while its batch ran, so there is nothing to take back.
 */
export interface UndoEntry {
  readonly key: ResourceKey;
  readonly kind: 'restore' | 'remove' | 'recreate' | 'stale';
  /** The state in which the batch has left the resource: any other one is somebody else's. Of a `recreate`: none is there. */
  readonly expects?: StateName;
  /** The state before, which the batch has kept. */
  readonly before?: StateName;
  /** The item of the undo that acts for this one too: several items of the batch have changed one resource, in a row. */
  readonly leader?: number;
}

/** An effect of an item of an upload or patch. */
export interface WriteEffect {
  readonly index: number;
  readonly key: ResourceKey;
  readonly action: 'created' | 'updated';
  /** Absent: it is not known, because its batch has written it before it was undoable. */
  readonly wrote?: StateName | undefined;
}

/**
 * The entries that undo some effects, the last effect first. Effects on one resource without another batch's write in between are undone as one, by the
 * state before the first of them; those before such a write are stale.
 */
export function undoEntriesOf(effects: readonly WriteEffect[]): UndoEntry[] {
  const ordered = effects.toSorted((a, b) => b.index - a.index);
  const places = new Map(ordered.map(({ index }, place) => [index, place]));
  const entries: UndoEntry[] = ordered.map(({ key }) => ({ key, kind: 'stale' }));
  const byKey = new Map<ResourceKey, WriteEffect[]>();
  for (const effect of ordered) appendTo(byKey, effect.key, effect);
  for (const [key, own] of byKey) {
    const run = lastRun(own);
    const [last, first] = [run[0], run.at(-1)];
    if (last?.wrote === undefined || first?.wrote === undefined) continue;
    const of = run.map(({ index }) => places.get(index) ?? 0).sort((a, b) => a - b);
    const leader = of[0] ?? 0;
    const before = { id: first.wrote.id, version: first.wrote.version - 1 };
    const acts: UndoEntry =
      first.action === 'created'
        ? { key, kind: 'remove', expects: last.wrote }
        : { key, kind: 'restore', expects: last.wrote, before };
    for (const place of of) entries[place] = place === leader ? acts : { ...acts, leader };
  }
  return entries;
}

/** The last effects on one resource that follow each other without a write of others in between, the last one first. */
function lastRun(effects: readonly WriteEffect[]): WriteEffect[] {
  const known = effects.filter(({ wrote }) => wrote !== undefined);
  // the life that the last item has met: if that is not the present one, the undo finds another state, and leaves it
  const life = known[0]?.wrote?.id;
  const versions = known
    .filter(({ wrote }) => wrote?.id === life)
    .sort((a, b) => (b.wrote?.version ?? 0) - (a.wrote?.version ?? 0));
  const gap = versions.findIndex(
    ({ wrote }, at) => at > 0 && (versions[at - 1]?.wrote?.version ?? 0) - (wrote?.version ?? 0) !== 1,
  );
  return gap === -1 ? versions : versions.slice(0, gap);
}
