import type { ItemError } from '../../domain/batch/outcome.ts';
import { atOnce, type Computation } from '../../domain/collections/run-yielding.ts';
import { decidingWrites, type ResourceState, type WriteDecisions } from '../../domain/write/decide-writes.ts';
import type { JsonObject, ResourceKey } from '../../domain/write/resource.ts';
import type { SchemaCatalog } from '../definitions/schema-catalog.ts';
import type { DecidedItem } from './work-items.ts';

/**
 * Longest estimated validation of one resource in this thread, for which everything else waits, in ns.
 * @internal exported for tests, which compare with it
 */
export const MAX_INLINE_NS = 10_000_000;
/** Longest estimated validation of the resources of one activity in this thread, in ns. */
const MAX_INLINE_TOTAL_NS = 150_000_000;

interface BoundedDecisions<T extends DecidedItem> {
  readonly decided: WriteDecisions<T>;
  /** Items whose faults are not known in time, and items that need them: another attempt continues where this one has stopped. */
  readonly postponed: ReadonlySet<T>;
}

/** What deciding may cost. */
interface Budget {
  /** In ms from now: what a thread has not validated then is postponed. */
  readonly threadMs: number;
  /** Whether nothing may be validated in this thread. */
  readonly inThreadOnly: boolean;
  /** Runs a decision, which yields after each item. */
  readonly run?: <R>(decision: Computation<R>) => R | Promise<R>;
}

/**
 * Decides items whose validation may take long: if the estimate is high, a thread validates them that can be ended, while this
 * thread continues with the others.
 * @param needing finds the items that cannot be decided without some keys.
 */
export async function decideWithinBudget<T extends DecidedItem>(
  schemas: Pick<SchemaCatalog, 'faultsInThread'>,
  { threadMs, inThreadOnly, run = atOnce }: Budget,
  items: readonly T[],
  stored: ReadonlyMap<ResourceKey, ResourceState>,
  exists: (key: ResourceKey) => boolean,
  needing: (keys: ReadonlySet<ResourceKey>, items: readonly T[]) => ReadonlySet<T>,
): Promise<BoundedDecisions<T>> {
  const deadline = performance.now() + threadMs;
  const verdicts = new Verdicts<T>(schemas, inThreadOnly);
  const postponed = new Set<T>();
  for (;;) {
    const open = items.filter((item) => !postponed.has(item));
    const decided = await run(decidingWrites(open, stored, exists, verdicts.judge()));
    if (verdicts.unknown.size === 0) return { decided, postponed };
    const late = await verdicts.find(deadline);
    if (late.size > 0) for (const item of needing(late, open)) postponed.add(item);
  }
}

/** Faults that a thread has found, by item and by the resource that the item would make. */
class Verdicts<T extends DecidedItem> {
  /** Validations that were requested and have no result yet. */
  readonly unknown = new Map<T, string>();
  readonly #schemas: Pick<SchemaCatalog, 'faultsInThread'>;
  readonly #found = new Map<T, Map<string, readonly ItemError[]>>();

  readonly #inThreadOnly: boolean;

  constructor(schemas: Pick<SchemaCatalog, 'faultsInThread'>, inThreadOnly: boolean) {
    this.#schemas = schemas;
    this.#inThreadOnly = inThreadOnly;
  }

  /** For one decision: each begins with its full time in this thread. */
  judge(): (item: T, data: JsonObject) => readonly ItemError[] | null {
    let leftNs = MAX_INLINE_TOTAL_NS;
    this.unknown.clear();
    return (item, data) => {
      const { compiled } = item.schema;
      const estimatedNs = compiled.estimateNs(data);
      // 0: it is nested too deeply to be converted to a text, and refused at once
      const mayTakeNs = this.#inThreadOnly ? 0 : Math.min(MAX_INLINE_NS, leftNs);
      if (estimatedNs <= mayTakeNs) {
        leftNs -= estimatedNs;
        return compiled.faults(data);
      }
      const text = JSON.stringify(data);
      const found = this.#found.get(item)?.get(text);
      if (found === undefined) this.unknown.set(item, text);
      return found ?? null;
    };
  }

  /** @returns the keys of items whose faults are not known at the deadline. */
  async find(deadline: number): Promise<ReadonlySet<ResourceKey>> {
    const late = new Set<ResourceKey>();
    for (const [item, text] of this.unknown) {
      const faults = late.size > 0 ? undefined : await inTime(this.#schemas.faultsInThread(item, text), deadline);
      if (faults === undefined) late.add(item.key);
      else this.#found.set(item, (this.#found.get(item) ?? new Map()).set(text, faults));
    }
    return late;
  }
}

/** The result of a promise by a given time; undefined if it takes longer, while it continues by itself. */
async function inTime<T>(work: Promise<T>, deadline: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, deadline - performance.now()));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
