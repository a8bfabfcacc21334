import { MongoBulkWriteError, MongoError, MongoInvalidArgumentError, MongoServerError } from 'mongodb';
import { isLostConnection } from './lost-connection.ts';

const DUPLICATE_KEY = 11_000;

/** Codes of MongoDB for a command that it will never accept, however often it is sent. */
const REFUSALS: ReadonlySet<unknown> = new Set([
  2, // BadValue; also the answer to `insertOne` of a document just above 16 MB
  9, // FailedToParse
  14, // TypeMismatch
  15, // Overflow: more than 100 levels
  16, // InvalidLength
  22, // InvalidBSON
  28, // PathNotViable
  40, // ConflictingUpdateOperators
  52, // DollarPrefixedFieldName
  56, // EmptyFieldName
  57, // DottedFieldName
  59, // CommandNotFound
  66, // ImmutableField
  72, // InvalidOptions
  73, // InvalidNamespace
  121, // DocumentValidationFailure
  224, // QueryFeatureNotAllowed
  238, // NotImplemented
  10_334, // BSONObjectTooLarge
  17_419, // an update would make the document too large, by up to 16 KiB
  17_420,
  DUPLICATE_KEY,
]);

/** The command was not over when the time of its caller was: whether the server applies it is not known. */
export class CommandTimeoutError extends MongoError {
  override get name(): string {
    return 'CommandTimeoutError';
  }
}

/** A later attempt of the same activity is at work: this one has to stop. */
export class SupersededError extends Error {
  override readonly name = 'SupersededError';
}

/**
 * Classifies a failure of MongoDB, or of the connection to it:
 * - `refusal`: the command is wrong, because of a bug that no retry resolves;
 * - `outage`: it is temporary, so the caller tries again (an API answers 503).
 * @returns null if it is no failure of MongoDB.
 */
export function kindOfFailure(error: unknown): 'refusal' | 'outage' | null {
  if (error instanceof MongoBulkWriteError) return kindOfBulkFailure(error);
  if (error instanceof MongoInvalidArgumentError || isTooLargeToEncode(error)) return 'refusal';
  if (error instanceof MongoServerError) return REFUSALS.has(error.code) ? 'refusal' : 'outage';
  return error instanceof MongoError || isLostConnection(error) ? 'outage' : null;
}

/** Parts of a bulk may have been refused while others met an outage: then the bulk is repeated, to learn the result of all. */
function kindOfBulkFailure(error: MongoBulkWriteError): 'refusal' | 'outage' {
  const writeErrors = writeErrorsOf(error);
  if (error.result?.getWriteConcernError() !== undefined) return 'outage';
  if (writeErrors.length > 0) return writeErrors.every(({ code }) => REFUSALS.has(code)) ? 'refusal' : 'outage';
  // errors of the driver itself are wrapped
  const cause: unknown = error.errorResponse;
  return (cause instanceof Error ? kindOfFailure(cause) : null) ?? (REFUSALS.has(error.code) ? 'refusal' : 'outage');
}

/** A document above the driver's buffer of 17 MB is not sent to a server. */
function isTooLargeToEncode(error: unknown): boolean {
  return error instanceof RangeError && 'code' in error && error.code === 'ERR_OUT_OF_RANGE';
}

/** The driver reports one, several or none. */
export const writeErrorsOf = ({ writeErrors }: MongoBulkWriteError) => [writeErrors ?? []].flat();

/**
 * Another insert of this `_id` came first (or our own, whose answer was lost), and there is no other error: a bulk with
 * another error beside it, or whose other writes are not known to be durable (`writeConcernError`), has failed.
 */
export function isDuplicateKey(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError)) {
    return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
  }
  const writeErrors = writeErrorsOf(error);
  return (
    writeErrors.length > 0 &&
    writeErrors.every(({ code }) => code === DUPLICATE_KEY) &&
    error.result.getWriteConcernError() === undefined
  );
}
