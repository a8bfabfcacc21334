import { type WaitingItem, WaitingItems } from '../../domain/imports/waiting-items.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { blocked } from '../../isolation/attempts/attempt.ts';
import { MemoryExceededError } from '../../services/deletes/memory-allowance.ts';
import type { ActivityContext } from '../activity-context.ts';

/** What waits of an import, as far as there is memory for it. */
class CollectedItems {
  readonly collected: WaitingItems;
  readonly #importId: string;
  readonly #context: ActivityContext;
  readonly #charge: (bytes: number) => void;
  #isWhole = true;

  constructor(context: ActivityContext, importId: string, charge: (bytes: number) => void) {
    this.collected = new WaitingItems(charge);
    this.#context = context;
    this.#importId = importId;
    this.#charge = charge;
  }

  /** Whether cycles can be searched: all items are there, and so is memory for the search. */
  get isWhole(): boolean {
    if (this.#isWhole) this.#within(() => this.#charge(this.collected.bytesToFindCycles));
    return this.#isWhole;
  }

  add(item: WaitingItem, key: ResourceKey, absent: readonly ResourceKey[]): void {
    if (this.#isWhole) this.#within(() => this.collected.add(item, key, absent));
  }

  #within(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof MemoryExceededError)) throw error;
      if (error.isShared) throw blocked('others hold the memory that the search for cycles needs');
      this.#isWhole = false;
      const { logger, planningMemory } = this.#context;
      logger.warn(
        { importId: this.#importId, limit: planningMemory.limit },
        'so many items of an import wait that cycles over its batches are not looked for: DELETION_MEMORY_BYTES is too small',
      );
    }
  }
}

/** Runs some work that collects what waits, within the memory for plans. */
export const withWaitingItems = <T>(
  context: ActivityContext,
  importId: string,
  work: (items: CollectedItems) => Promise<T>,
): Promise<T> => context.planningMemory.lend((charge) => work(new CollectedItems(context, importId, charge)));
