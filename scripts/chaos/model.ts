import { canonical, type JsonObject } from './answers.ts';

/** What a resource holds; null where there is none. */
export type State = { readonly data: JsonObject; readonly version: number } | null;

export type Effect =
  | { readonly kind: 'created' | 'updated' | 'unchanged'; readonly body: JsonObject }
  | { readonly kind: 'removed' }
  /** An outcome, or a read, that tells whether the resource was there. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'present' }
  | { readonly kind: 'read'; readonly state: State };

/** Something that has happened to one resource at some moment between two. */
export interface Event {
  readonly what: string;
  /** Ms since 1970. */
  readonly from: number;
  readonly to: number;
  readonly effect: Effect;
  /** Events that came before it, whatever their times say. */
  readonly after?: readonly Event[];
}

export type Verdict =
  | { readonly kind: 'explained' }
  /** No order of the events leads to the end; how far the best one came. */
  | { readonly kind: 'contradiction'; readonly detail: string }
  /** The search was given up. */
  | { readonly kind: 'open' };

/** Steps of one search. */
const MAX_STEPS = 300_000;

/** Shallow, field by field; null deletes (contract section 2). */
export function merged(data: JsonObject, body: JsonObject): JsonObject {
  const result = { ...data, ...body };
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== null));
}

/**
 * Whether one resource can have come to its end state by these events: in some order that keeps to their times, each did what
 * it says, one at a time. Versions count effects within one life.
 */
export function explain(events: readonly Event[], end: State, maxSteps = MAX_STEPS): Verdict {
  return new Search(events, end, maxSteps).run();
}

interface Node {
  readonly done: bigint;
  readonly state: State;
}

class Search {
  readonly #events: readonly Event[];
  readonly #before: readonly bigint[];
  readonly #end: string;
  readonly #all: bigint;
  readonly #seen = new Set<string>();
  #stepsLeft: number;
  #best: { node: Node; count: number } = { node: { done: 0n, state: null }, count: -1 };

  constructor(events: readonly Event[], end: State, maxSteps: number) {
    this.#events = events;
    this.#end = canonical(end);
    this.#all = (1n << BigInt(events.length)) - 1n;
    this.#stepsLeft = maxSteps;
    this.#before = events.map((event) =>
      events.reduce((bits, other, at) => (other !== event && (other.to < event.from || event.after?.includes(other)) ? bits | (1n << BigInt(at)) : bits), 0n),
    );
  }

  run(): Verdict {
    const stack: Node[] = [{ done: 0n, state: null }];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      const settled = this.#takeWhatChangesNothing(node);
      if (settled.done === this.#all && canonical(settled.state) === this.#end) return { kind: 'explained' };
      const id = `${settled.done.toString(36)} ${canonical(settled.state)}`;
      if (this.#seen.has(id)) continue;
      this.#seen.add(id);
      this.#stepsLeft -= 1;
      if (this.#stepsLeft < 0) return { kind: 'open' };
      this.#remember(settled);
      stack.push(...this.#next(settled));
    }
    return { kind: 'contradiction', detail: this.#describeBest() };
  }

  /** What holds now and changes nothing can be taken now: no order is lost by that. */
  #takeWhatChangesNothing(node: Node): Node {
    let { done } = node;
    for (let before = -1n; before !== done; ) {
      before = done;
      for (const [at, { effect }] of this.#events.entries()) {
        if (this.#isPossible(at, done) && changesNothing(effect, node.state)) done |= 1n << BigInt(at);
      }
    }
    return { done, state: node.state };
  }

  /** The likeliest last, for it is taken first: what had to end soonest. */
  #next({ done, state }: Node): Node[] {
    const possible = this.#events.flatMap((event, at) => (this.#isPossible(at, done) ? [{ event, at }] : []));
    possible.sort((a, b) => b.event.to - a.event.to);
    return possible.flatMap(({ event, at }) => {
      const after = apply(event.effect, state);
      return after === undefined ? [] : [{ done: done | (1n << BigInt(at)), state: after }];
    });
  }

  #isPossible(at: number, done: bigint): boolean {
    const before = this.#before[at] ?? 0n;
    return (done & (1n << BigInt(at))) === 0n && (done & before) === before;
  }

  #remember(node: Node): void {
    const count = node.done.toString(2).replaceAll('0', '').length;
    if (count > this.#best.count) this.#best = { node, count };
  }

  #describeBest(): string {
    const { node, count } = this.#best;
    const left = this.#events.filter((_, at) => (node.done & (1n << BigInt(at))) === 0n);
    const some = left.slice(0, 6).map(({ what, effect }) => `${what} ${effect.kind}${'state' in effect ? ` ${canonical(effect.state)}` : ''}`);
    return `${count} of ${this.#events.length} events fit, up to ${canonical(node.state)}; then none of: ${some.join('; ')}; the end is ${this.#end}`;
  }
}

function changesNothing(effect: Effect, state: State): boolean {
  switch (effect.kind) {
    case 'absent':
      return state === null;
    case 'present':
      return state !== null;
    case 'unchanged':
      return state !== null && canonical(merged(state.data, effect.body)) === canonical(state.data);
    case 'read':
      return canonical(effect.state) === canonical(state);
    default:
      return false;
  }
}

/** @returns undefined where the effect cannot be had on this state. */
function apply(effect: Effect, state: State): State | undefined {
  switch (effect.kind) {
    case 'created':
      return state === null ? { data: merged({}, effect.body), version: 1 } : undefined;
    case 'updated': {
      if (state === null) return undefined;
      const data = merged(state.data, effect.body);
      return canonical(data) === canonical(state.data) ? undefined : { data, version: state.version + 1 };
    }
    case 'removed':
      return state === null ? undefined : null;
    default:
      return undefined;
  }
}
