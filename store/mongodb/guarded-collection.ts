import {
  AbstractCursor,
  type AnyBulkWriteOperation,
  type Collection,
  type Document,
  MongoBulkWriteError,
} from 'mongodb';
import { Interruption } from '../../domain/collections/interruption.ts';
import { bulkWriteInParts, insertManyInParts } from './bulk-parts.ts';
import type { CausalOptions, CausalOrder } from './causal-order.ts';
import { currentAttempt } from './command-time.ts';
import { CommandTimeoutError } from './errors.ts';

/** Place of the options among the arguments of each method that sends a command. */
const OPTIONS_AT: Readonly<Record<string, number>> = {
  aggregate: 1,
  bulkWrite: 1,
  countDocuments: 1,
  deleteMany: 1,
  deleteOne: 1,
  distinct: 2,
  estimatedDocumentCount: 0,
  find: 1,
  findOne: 1,
  findOneAndDelete: 1,
  findOneAndUpdate: 2,
  insertMany: 1,
  insertOne: 1,
  replaceOne: 2,
  updateMany: 2,
  updateOne: 2,
};

const CURSORS: ReadonlySet<string> = new Set(['aggregate', 'find']);

const READS: ReadonlySet<string> = new Set([
  ...CURSORS,
  'countDocuments',
  'distinct',
  'estimatedDocumentCount',
  'findOne',
]);

/**
 * A collection whose commands end with the time of the attempt that sends them (`asAttempt`): the server receives the time limit
 * (`maxTimeMS`), and the caller waits no longer for a server, a connection and an answer together. Bulk writes are cut into
 * commands here, so that each of them begins in time. (The driver's `timeoutMS` has no effect since 7.9.)
 * Those of one attempt, and of one request, are in causal order (`inCausalOrder`).
 *
 * @param beforeCommand called before each command; an error that it throws stops the command.
 */
export function guardedCollection<T extends Document>(
  collection: Collection<T>,
  order: CausalOrder,
  beforeCommand: () => void = () => undefined,
): Collection<T> {
  const call = (name: string, given: readonly unknown[], hasWaited = false): unknown => {
    beforeCommand();
    const member = Reflect.get(collection, name, collection) as (...given: unknown[]) => unknown;
    const at = OPTIONS_AT[name];
    if (at === undefined) return member.apply(collection, [...given]);
    // a cursor of a process that has not written yet has no write to wait for
    if (order.isUnknown && !hasWaited && !CURSORS.has(name)) return order.known().then(() => call(name, given, true));
    const send = (limits?: Limits): unknown =>
      order.send(READS.has(name), (causal) => member.apply(collection, withOptions(given, at, limits, causal)));
    const attempt = currentAttempt();
    if (attempt === undefined) return send();
    const timeMs = CURSORS.has(name) ? attempt.cursorTimeMs() : attempt.commandTimeMs();
    return withinTime(Math.ceil(timeMs), send);
  };
  return new Proxy(collection, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      if (name === 'bulkWrite')
        return (operations: readonly AnyBulkWriteOperation<T>[], options?: { ordered?: boolean }) =>
          bulkWriteInParts(operations, options, (part) => call(name, [part, options]));
      if (name === 'insertMany')
        return (documents: readonly Document[], options?: { ordered?: boolean }) =>
          insertManyInParts(documents, options, (part) => call(name, [part, options]));
      return (...given: unknown[]): unknown => call(name, given);
    },
  });
}

/** Arguments with more options among them. */
function withOptions(
  given: readonly unknown[],
  at: number,
  limits: Limits | undefined,
  causal: CausalOptions,
): unknown[] {
  const before = Array.from({ length: at }, (_, place) => given[place]);
  return [...before, { ...(given[at] as object | undefined), ...limits, ...causal }];
}

interface Limits {
  readonly maxTimeMS: number;
  readonly signal: AbortSignal;
}

/** Sends a command that is aborted when its time is over. A cursor has that time for everything that is read with it. */
function withinTime(timeMs: number, send: (limits: Limits) => unknown): unknown {
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    timeout.abort(new CommandTimeoutError(`no answer of MongoDB within ${timeMs} ms`));
  }, timeMs);
  timer.unref();
  const result = send({ maxTimeMS: timeMs, signal: timeout.signal });
  if (result instanceof Promise) return result.catch(throwUnwrapped).finally(() => clearTimeout(timer));
  if (result instanceof AbstractCursor) {
    result.once('close', () => clearTimeout(timer));
    endFurtherBatches(result, timeout.signal);
  }
  return result;
}

/** The driver's signal ends only the first command of a cursor: a further batch could otherwise wait as long as a socket may. */
function endFurtherBatches(cursor: AbstractCursor, signal: AbortSignal): void {
  const timeout = new Interruption();
  signal.addEventListener('abort', () => timeout.interrupt(signal.reason), { once: true });
  const next = cursor.next.bind(cursor);
  cursor.next = () => (cursor.bufferedCount() > 0 ? next() : timeout.during(next()));
}

/** The driver wraps the errors of a bulk write. */
function throwUnwrapped(error: unknown): never {
  const isWrapped =
    error instanceof MongoBulkWriteError && (error.errorResponse as unknown) instanceof CommandTimeoutError;
  throw isWrapped ? error.errorResponse : error;
}
