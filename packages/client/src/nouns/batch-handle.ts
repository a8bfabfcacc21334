import type { Batch, CallOptions, Item, ItemListOptions, UndoPreview } from '../types.ts';
import type { Batches } from './batches.ts';
import type { PagedList } from './paged-list.ts';
import type { WaitOptions } from './wait.ts';

/** Statuses of items without success, in the order of `failed()`. */
const UNSUCCESSFUL = ['failed', 'expired', 'cancelled'] as const;

/** One batch by its id. Every call @throws DroverError. */
export class BatchHandle {
  readonly id: string;
  readonly #batches: Batches;

  constructor(batches: Batches, id: string) {
    this.#batches = batches;
    this.id = id;
  }

  status(options: CallOptions & { readonly includePendingDetails?: boolean } = {}): Promise<Batch> {
    return this.#batches.get(this.id, options);
  }

  /** Waits until the batch has finished, with any status: by its events, else by its status. See `batches.wait`. */
  finished(options: WaitOptions = {}): Promise<Batch> {
    return this.#batches.wait(this.id, options);
  }

  /** Its states from now on, until it has finished. */
  events(options: CallOptions = {}): AsyncGenerator<Batch, void> {
    return this.#batches.events(this.id, options);
  }

  /** Its items with their outcomes, by index. */
  items(options: ItemListOptions = {}): PagedList<Item> {
    return this.#batches.items(this.id, options);
  }

  /** Its items that failed, expired or were cancelled. */
  async *failed(options: CallOptions = {}): AsyncGenerator<Item, void> {
    for (const status of UNSUCCESSFUL) yield* this.#batches.items(this.id, { ...options, status });
  }

  suspend(options: CallOptions = {}): Promise<Batch> {
    return this.#batches.suspend(this.id, options);
  }

  resume(options: CallOptions = {}): Promise<Batch> {
    return this.#batches.resume(this.id, options);
  }

  cancel(options: CallOptions = {}): Promise<Batch> {
    return this.#batches.cancel(this.id, options);
  }

  retry(options: CallOptions = {}): Promise<Batch> {
    return this.#batches.retry(this.id, options);
  }

  undo(options: CallOptions = {}): Promise<Batch> {
    return this.#batches.undo(this.id, options);
  }

  previewUndo(options: CallOptions = {}): Promise<UndoPreview> {
    return this.#batches.previewUndo(this.id, options);
  }

  delete(options: CallOptions = {}): Promise<void> {
    return this.#batches.delete(this.id, options);
  }
}
