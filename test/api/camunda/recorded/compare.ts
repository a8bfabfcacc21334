/** One recorded exchange with a Camunda 7.22 engine. */
export interface Recording {
  readonly name: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly contentType?: string;
    readonly accept?: string;
    readonly body?: unknown;
    readonly bodyText?: string;
  };
  readonly response: { readonly status: number; readonly contentType: string | null; readonly body?: unknown };
}

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/;

/** Numbers that differ between runs. */
const MEASURED = new Set(['durationInMillis']);

/** Maps ids of the recorded engine to ids of this run: given ones, or learned from the first answer that has one. */
export class Ids {
  readonly #known = new Map<string, string>();

  /** Assigns an id of this run to a recorded id that a later recording may name. */
  learn(recorded: string, live: string): void {
    this.#known.set(recorded, live);
  }

  live(recorded: string): string | undefined {
    return this.#known.get(recorded);
  }

  /** Replaces recorded ids in a text by those of this run. */
  translate(text: string): string {
    return text.replace(ID, (id) => this.#known.get(id) ?? id);
  }
}

/**
 * The differences between an answer and its recording: status, content type, fields and their order, types, and every value except
 * ids, dates and durations. An id must be the same wherever the recording has the same one.
 * @returns one path for each difference.
 */
export function compare(ids: Ids, recorded: Recording['response'], live: Recording['response']): string[] {
  const paths: string[] = [];
  if (recorded.status !== live.status) return ['status'];
  if (recorded.contentType !== live.contentType) paths.push('contentType');
  return [...paths, ...compareValues(ids, recorded.body ?? null, live.body ?? null, 'body')];
}

function compareValues(ids: Ids, recorded: unknown, live: unknown, path: string): string[] {
  if (Array.isArray(recorded) && Array.isArray(live)) return compareArrays(ids, recorded, live, path);
  if (isObject(recorded) && isObject(live)) {
    const keys = Object.keys(recorded);
    if (keys.join() !== Object.keys(live).join()) return [`${path} keys`];
    return keys.flatMap((key) => compareValues(ids, recorded[key], live[key], `${path}.${key}`));
  }
  return isSame(ids, recorded, live, path) ? [] : [path];
}

/** Entries with an id are compared with the entry that has the corresponding id. */
function compareArrays(ids: Ids, recorded: unknown[], live: unknown[], path: string): string[] {
  const differences = recorded.length === live.length ? [] : [`${path}.length`];
  const wanted = live.map((entry, at) => recorded.find((other) => isCounterpart(ids, other, entry)) ?? recorded[at]);
  return [...differences, ...live.flatMap((entry, at) => compareValues(ids, wanted[at], entry, `${path}[${at}]`))];
}

const isCounterpart = (ids: Ids, recorded: unknown, live: unknown): boolean =>
  isObject(recorded) && isObject(live) && typeof recorded.id === 'string' && ids.live(recorded.id) === live.id;

function isSame(ids: Ids, recorded: unknown, live: unknown, path: string): boolean {
  if (typeof recorded !== typeof live || recorded === null || live === null) return recorded === live;
  if (typeof recorded !== 'string' || typeof live !== 'string') {
    return recorded === live || MEASURED.has(path.split('.').at(-1) ?? '');
  }
  if (DATE.test(recorded)) return DATE.test(live);
  if (recorded.match(ID)?.join() === recorded && ids.live(recorded) === undefined) ids.learn(recorded, live);
  return ids.translate(recorded) === live;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
