import { MongoServerError } from 'mongodb';

const DUPLICATE_KEY = 11_000;

/** Someone else's insert of this `_id` came first (or our own, whose answer was lost). */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}
