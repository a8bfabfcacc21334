import { appendTo } from '../../domain/collections/append-to.ts';
import type { ComparedState } from '../../domain/undo/undo-entry.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';

/** A resource as a dry run has changed it. */
interface ChangedResource extends ComparedState {
  readonly id: string;
  readonly version: number;
  readonly references: readonly ResourceKey[];
}

/** What undos of a dry run have changed so far, over what is stored: the next one is decided on that. */
export class UndoneState {
  readonly #resources = new Map<ResourceKey, ChangedResource | null>();
  /** Resources that were written, by what they refer to; some may not refer to it any more. */
  readonly #referrers = new Map<ResourceKey, ResourceKey[]>();

  write(key: ResourceKey, resource: ChangedResource): void {
    this.#resources.set(key, resource);
    for (const target of resource.references) appendTo(this.#referrers, target, key);
  }

  remove(key: ResourceKey): void {
    this.#resources.set(key, null);
  }

  /** A resource that was changed; null: it was removed; undefined: it is as it is stored. */
  of(key: ResourceKey): ChangedResource | null | undefined {
    return this.#resources.get(key);
  }

  /** Resources that were written and refer to one of these. */
  *referrersOf(targets: Iterable<ResourceKey>): Generator<readonly [ResourceKey, readonly ResourceKey[]]> {
    for (const target of targets)
      for (const key of this.#referrers.get(target) ?? []) {
        const references = this.#resources.get(key)?.references ?? [];
        if (references.includes(target)) yield [key, references];
      }
  }
}
