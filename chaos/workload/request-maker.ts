import type { SentItem, SentOperation, SentRequest } from '../record/journal.ts';
import type { Json, JsonObject } from './answers.ts';
import { KINDS, type Kind, type KindName, kindOf } from './definitions.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** What a request is to be, as far as it is not left to chance. */
type Wish = Partial<Pick<SentRequest, 'options' | 'items' | 'key'>> & {
  readonly operation: SentOperation;
  readonly kind: KindName;
};

export interface BodyWish {
  /** Overrides what chance would refer to. */
  readonly references?: JsonObject;
  /** Text fields to write; by default some. */
  readonly texts?: readonly string[];
}

/** Numbers the requests of a run. */
export class Numbering {
  #last = 0;
  next(): number {
    this.#last += 1;
    return this.#last;
  }
}

/** Makes requests of one client for one tenant. Every text that it writes is written by one item only: its number says by which. */
export class RequestMaker {
  readonly tenant: string;
  readonly world: World;
  readonly #random: Random;
  readonly #numbering: Numbering;

  constructor(tenant: string, world: World, random: Random, numbering: Numbering) {
    this.tenant = tenant;
    this.world = world;
    this.#random = random;
    this.#numbering = numbering;
  }

  kind(): KindName {
    return this.#random.pick(KINDS).name;
  }

  /** A request with items made by `make`, which receives the mark of the request. */
  request(wish: Wish, make: (mark: string) => readonly SentItem[] = () => []): SentRequest {
    const number = this.#numbering.next();
    const mark = `${this.tenant}.${number}`;
    return { options: {}, items: make(mark), ...wish, number, tenant: this.tenant, sentAt: Date.now(), results: [] };
  }

  /** A body for `externalId`; its texts contain `mark`. */
  body(name: KindName, externalId: string, mark: string, { references, texts }: BodyWish = {}): JsonObject {
    const kind = kindOf(name);
    const random = this.#random;
    const chosen = texts ?? kind.texts.filter((field) => kind.required.includes(field) || random.chance(0.5));
    const body: JsonObject = { [kind.idField]: externalId };
    for (const field of chosen) body[field] = `${mark}.${field}`;
    if (texts === undefined) {
      if (chosen.length === 0) body.note = `${mark}.note`;
      if (random.chance(0.3)) body.size = random.integer(1, 3);
      // one text stays: by it the checker knows the request
      const isOnlyText = chosen.length === 1 && chosen[0] === 'motto';
      if (random.chance(0.1) && !kind.required.includes('motto') && !isOnlyText) body.motto = null;
    }
    return { ...body, ...(references ?? this.references(kind)) };
  }

  /** References to what is probably there. */
  references(kind: Kind, density = 0.35): JsonObject {
    const random = this.#random;
    const found: JsonObject = {};
    for (const { path, isArray, target } of kind.references) {
      if (!random.chance(density)) continue;
      const one = (): string => this.world.known(target, random);
      setAt(found, path, isArray ? Array.from({ length: random.integer(1, 3) }, one) : one());
    }
    return found;
  }

  /** References of one place only, to what the caller names. */
  referenceTo(kind: Kind, target: KindName, externalIds: readonly string[]): JsonObject {
    const places = kind.references.filter((place) => place.target === target);
    const place = this.#random.pick(places);
    const found: JsonObject = {};
    setAt(found, place.path, place.isArray ? [...externalIds] : (externalIds[0] ?? null));
    return found;
  }

  /** An item that is wrong on purpose. */
  faulty(name: KindName, externalId: string, mark: string): SentItem {
    const { idField } = kindOf(name);
    const body = this.body(name, externalId, mark, { references: {} });
    switch (this.#random.pick(['validation', 'unknown_field', 'missing_external_id'] as const)) {
      case 'validation':
        return { externalId, body: { ...body, size: 'large' }, fault: 'validation' };
      case 'unknown_field':
        return { externalId, body: { ...body, colour: 'red' }, fault: 'unknown_field' };
      case 'missing_external_id':
        return { externalId: null, body: { ...body, [idField]: null }, fault: 'missing_external_id' };
    }
  }
}

function setAt(into: JsonObject, [first = '', ...rest]: readonly string[], value: Json): void {
  if (rest.length === 0) {
    into[first] = value;
    return;
  }
  const inner: JsonObject = {};
  into[first] = inner;
  setAt(inner, rest, value);
}
