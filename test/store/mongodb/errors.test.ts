import { MongoBulkWriteError, MongoServerError } from 'mongodb';
import { expect, test } from 'vitest';
import { isDuplicateKey } from '../../../store/mongodb/errors.ts';

const DUPLICATE = 11_000;

function bulkError(codes: readonly number[], writeConcernError?: object): MongoBulkWriteError {
  const writeErrors = codes.map((code, index) => ({ index, code, err: { index, code } }));
  return new MongoBulkWriteError(
    { message: 'bulk', code: codes[0] ?? 0, writeErrors } as never,
    { getWriteConcernError: () => writeConcernError } as never,
  );
}

test('a taken _id is a duplicate key, in one insert and in a bulk', () => {
  expect(isDuplicateKey(new MongoServerError({ message: 'E11000', code: DUPLICATE }))).toBe(true);
  expect(isDuplicateKey(bulkError([DUPLICATE, DUPLICATE]))).toBe(true);
});

test('a bulk with another error beside a taken _id has failed', () => {
  expect(isDuplicateKey(bulkError([DUPLICATE, 91]))).toBe(false);
});

test('a taken _id does not hide that the other writes of the bulk may be lost in a failover', () => {
  expect(isDuplicateKey(bulkError([DUPLICATE], { code: 64, errmsg: 'waiting for replication timed out' }))).toBe(false);
});
