import { canonical, type JsonObject } from '../workload/answers.ts';

/** What a resource holds; null where there is none. */
export type State = { readonly data: JsonObject; readonly version: number } | null;

export type Effect =
  | { readonly kind: 'created' | 'updated' | 'unchanged'; readonly body: JsonObject }
  | { readonly kind: 'removed' }
  /** An outcome, or a read, that shows whether the resource existed. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'present' }
  | { readonly kind: 'read'; readonly state: State }
  /** An undo has taken back what this batch did, in its last effects without another write in between. */
  | { readonly kind: 'reverted'; readonly of: string }
  /** What an item did whose batch is gone: one of these, or nothing. */
  | { readonly kind: 'maybe'; readonly effects: readonly Effect[] };

/** Something that has happened to one resource at some moment between two. */
export interface Event {
  readonly what: string;
  /** Ms since 1970. */
  readonly from: number;
  readonly to: number;
  readonly effect: Effect;
  /** The batch that did it, if that is undone. */
  readonly undone?: string;
  /** Events that came before it, whatever their times say. */
  readonly after?: readonly Event[];
}

type Verdict =
  | { readonly kind: 'explained' }
  /** No order of the events leads to the end; how far the best one came. */
  | { readonly kind: 'contradiction'; readonly detail: string }
  /** The search was stopped: there are too many orders. */
  | { readonly kind: 'open' };

/** Steps of one search. */
const MAX_STEPS = 5_000;

/**
 * Shallow, field by field; null deletes the field (docs/api.md).
 * @internal exported for tests, which check it by itself
 */
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

/** Events done so far, as bits, and what they have led to. */
interface Node {
  readonly done: bigint;
  readonly state: Known;
}

/** A state with its texts, which are compared often. */
interface Known {
  readonly state: State;
  readonly text: string;
  readonly dataText: string;
  /** The write that has made it: an undo takes a resource back to what an earlier write has made. */
  readonly by: number;
  /** What undone batches have met and left. */
  readonly marks: ReadonlyMap<string, Mark>;
}

/** Of a batch: the state before its last effects in a row, and which write was the last of them. */
interface Mark {
  readonly before: Known;
  readonly by: number;
  /** It has deleted the resource: that may be created again whoever has deleted it since. */
  readonly isGone: boolean;
}

const NO_MARKS: ReadonlyMap<string, Mark> = new Map();
const NO_WRITE = -1;

function known(state: State, by = NO_WRITE, marks = NO_MARKS): Known {
  if (state === null) return { state, text: 'null', dataText: 'null', by, marks };
  const dataText = canonical(state.data);
  return { state, text: `${state.version} ${dataText}`, dataText, by, marks };
}

const marksText = ({ by, marks }: Known): string =>
  `${by} ${[...marks].map(([batch, mark]) => `${batch} ${mark.by} ${mark.before.by} ${mark.before.text}`).join()}`;

class Search {
  readonly #events: readonly Event[];
  readonly #bits: readonly bigint[];
  /** For each event those that must have come before it. */
  readonly #before: readonly bigint[];
  /** Texts of what reads have read. */
  readonly #readTexts: readonly (string | null)[];
  readonly #end: string;
  readonly #all: bigint;
  readonly #seen = new Set<string>();
  readonly #hasUndos: boolean;
  #stepsLeft: number;
  #best: { node: Node; count: number } = { node: { done: 0n, state: known(null) }, count: -1 };

  constructor(events: readonly Event[], end: State, maxSteps: number) {
    // what had to end soonest is tried first
    this.#events = [...events].sort((a, b) => a.to - b.to);
    this.#bits = events.map((_, at) => 1n << BigInt(at));
    this.#end = known(end).text;
    this.#hasUndos = events.some(({ effect }) => effect.kind === 'reverted');
    this.#all = (1n << BigInt(events.length)) - 1n;
    this.#stepsLeft = maxSteps;
    this.#readTexts = this.#events.map(({ effect }) => (effect.kind === 'read' ? known(effect.state).text : null));
    this.#before = this.#events.map((event) =>
      this.#events.reduce(
        (bits, other, at) =>
          other !== event && (other.to < event.from || event.after?.includes(other)) ? bits | this.#bit(at) : bits,
        0n,
      ),
    );
  }

  run(): Verdict {
    const stack: Node[] = [{ done: 0n, state: known(null) }];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      const settled = this.#takeWhatChangesNothing(node);
      if (settled.done === this.#all && settled.state.text === this.#end) return { kind: 'explained' };
      const id = `${settled.done.toString(36)} ${settled.state.text}${this.#hasUndos ? marksText(settled.state) : ''}`;
      if (this.#seen.has(id)) continue;
      this.#seen.add(id);
      this.#stepsLeft -= 1;
      if (this.#stepsLeft < 0) return { kind: 'open' };
      this.#remember(settled);
      stack.push(...this.#next(settled).reverse());
    }
    return { kind: 'contradiction', detail: this.#describeBest() };
  }

  /** What holds now and changes nothing can be taken now: no order is lost by that. */
  #takeWhatChangesNothing(node: Node): Node {
    let { done } = node;
    for (let before = -1n; before !== done; ) {
      before = done;
      for (let at = 0; at < this.#events.length; at++) {
        if (this.#isPossible(at, done) && this.#changesNothing(at, node.state)) done |= this.#bit(at);
      }
    }
    return { done, state: node.state };
  }

  #changesNothing(at: number, { state, text, dataText }: Known): boolean {
    const effect = this.#events[at]?.effect;
    switch (effect?.kind) {
      case 'absent':
        return state === null;
      case 'present':
        return state !== null;
      case 'unchanged':
        return state !== null && canonical(merged(state.data, effect.body)) === dataText;
      case 'read':
        return this.#readTexts[at] === text;
      default:
        return false;
    }
  }

  #next({ done, state }: Node): Node[] {
    return this.#events.flatMap(({ effect, undone }, at) => {
      if (!this.#isPossible(at, done)) return [];
      const after = (one: Effect): Known | undefined => {
        const made = apply(one, state, at);
        return made && undone !== undefined ? withMark(made, state, undone) : made;
      };
      const afters = effect.kind === 'maybe' ? [...effect.effects.map(after), state] : [after(effect)];
      return afters.flatMap((after) => (after === undefined ? [] : [{ done: done | this.#bit(at), state: after }]));
    });
  }

  #isPossible(at: number, done: bigint): boolean {
    const before = this.#before[at] ?? 0n;
    return (done & this.#bit(at)) === 0n && (done & before) === before;
  }

  #bit(at: number): bigint {
    return this.#bits[at] ?? 0n;
  }

  #remember(node: Node): void {
    const count = node.done.toString(2).replaceAll('0', '').length;
    if (count > this.#best.count) this.#best = { node, count };
  }

  #describeBest(): string {
    const { node, count } = this.#best;
    const left = this.#events.filter((_, at) => (node.done & this.#bit(at)) === 0n);
    const some = left
      .slice(0, 6)
      .map(({ what, effect }) => `${what} ${effect.kind}${'state' in effect ? ` ${canonical(effect.state)}` : ''}`);
    return `${count} of ${this.#events.length} events fit, up to ${node.state.text}; then none of: ${some.join('; ')}; the end is ${this.#end}`;
  }
}

/** @param by number of the event. @returns undefined where the effect cannot be had on this state. */
function apply(effect: Effect, { state, dataText, by: last, marks }: Known, by: number): Known | undefined {
  switch (effect.kind) {
    case 'created':
      return state === null ? known({ data: merged({}, effect.body), version: 1 }, by, marks) : undefined;
    case 'updated': {
      if (state === null) return undefined;
      const next = known({ data: merged(state.data, effect.body), version: state.version + 1 }, by, marks);
      return next.dataText === dataText ? undefined : next;
    }
    case 'removed':
      return state === null ? undefined : known(null, by, marks);
    case 'reverted': {
      const mark = marks.get(effect.of);
      return mark && revert(mark, state, last, marks, by);
    }
    default:
      return undefined;
  }
}

/** Takes a resource back to where a batch has met it: it is as the batch has left it, or an undo of a later write has taken it back to that. */
function revert(mark: Mark, state: State, last: number, marks: Known['marks'], now: number): Known | undefined {
  const { before, by, isGone } = mark;
  if (isGone ? state !== null : last !== by) return undefined;
  if (before.state === null) return state === null ? undefined : known(null, now, marks);
  const version = (state ?? before.state).version + 1;
  return known({ data: before.state.data, version }, before.by, marks);
}

/** A batch goes on with its effects, or begins anew where another write came in between. */
function withMark(made: Known, before: Known, batch: string): Known {
  const mark = before.marks.get(batch);
  const first = mark?.by === before.by ? mark.before : before;
  return {
    ...made,
    marks: new Map([...before.marks, [batch, { before: first, by: made.by, isGone: made.state === null }]]),
  };
}
