import { KINDS, type KindName } from './definitions.ts';
import type { Random } from './random.ts';

/** Ids of one kind that are used at a time. */
const WINDOW = 24;
/** Of these, the newest, which may not have been created yet. */
const AHEAD = 5;

/**
 * Which external ids of one tenant clients use. A window moves on as ids are used, so that much happens to each id for a while,
 * and then no more; both tenants use the same ids.
 */
export class World {
  readonly #uses = new Map<KindName, number>(KINDS.map((kind) => [kind.name, 0]));
  readonly #present = new Set<string>();
  readonly #usesPerStep: number;

  /** @param usesPerStep the window moves on by one after so many. */
  constructor(usesPerStep: number) {
    this.#usesPerStep = usesPerStep;
  }

  /** All ids in use now. */
  window(kind: KindName): string[] {
    return Array.from({ length: WINDOW }, (_, at) => this.#id(kind, at));
  }

  /** An id in use: it may be there or not. */
  recent(kind: KindName, random: Random): string {
    this.#uses.set(kind, (this.#uses.get(kind) ?? 0) + 1);
    return this.#id(kind, random.integer(0, WINDOW - 1));
  }

  /** An id that is probably not there yet, and will be. */
  ahead(kind: KindName, random: Random): string {
    return this.#id(kind, WINDOW + random.integer(0, AHEAD));
  }

  /** An id that exists as far as the clients know, or any if they know none. */
  known(kind: KindName, random: Random): string {
    const ids = Array.from({ length: WINDOW + AHEAD }, (_, at) => this.#id(kind, at)).filter((id) =>
      this.#present.has(`${kind}/${id}`),
    );
    return ids.length > 0 ? random.pick(ids) : this.recent(kind, random);
  }

  note(kind: KindName, externalId: string, isThere: boolean): void {
    if (isThere) this.#present.add(`${kind}/${externalId}`);
    else this.#present.delete(`${kind}/${externalId}`);
  }

  #id(kind: KindName, at: number): string {
    return `${kind}-${Math.floor((this.#uses.get(kind) ?? 0) / this.#usesPerStep) + at}`;
  }
}
