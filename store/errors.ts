import { MongoInvalidArgumentError, MongoServerError } from 'mongodb';

const DUPLICATE_KEY = 11_000;

/** What MongoDB answers to a command that it will never take, however often it is sent. */
const REFUSALS: ReadonlySet<unknown> = new Set([
  2, // BadValue
  9, // FailedToParse
  14, // TypeMismatch
  52, // DollarPrefixedFieldName
  56, // EmptyFieldName
  57, // DottedFieldName
  59, // CommandNotFound
  10_334, // BSONObjectTooLarge
  17_419, // the document would grow too large
  17_420,
  DUPLICATE_KEY,
]);

/** Someone else's insert of this `_id` came first (or our own, whose answer was lost). */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}

/** Whether the command is at fault, not the server or the way to it: a bug of ours, which no retry mends. */
export function isRefusal(error: unknown): boolean {
  return error instanceof MongoInvalidArgumentError || (error instanceof MongoServerError && REFUSALS.has(error.code));
}
