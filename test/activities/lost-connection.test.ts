import { ApplicationFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { MongoBulkWriteError, MongoNetworkError, MongoServerError } from 'mongodb';
import { expect, test } from 'vitest';
import type { ActivityContext } from '../../activities/activity-context.ts';
import { createActivities } from '../../activities/index.ts';
import { createLogger } from '../../process/logging.ts';
import { CommandTimeoutError } from '../../store/mongodb/errors.ts';

const log: string[] = [];
const NO_RESULT = { getWriteConcernError: () => undefined } as never;

/** The failure of `recordState` if its first command throws this error. */
async function failureOf(error: Error): Promise<ApplicationFailure> {
  const database = { collection: () => ({ updateOne: () => Promise.reject(error) }) };
  const logger = createLogger({ LOG_LEVEL: 'info' }, {}, { write: (line) => void log.push(line) });
  const activities = createActivities({ database, logger } as unknown as ActivityContext);
  const failure = await new MockActivityEnvironment()
    .run(() => activities.recordState({ batchId: 'b', run: 1, status: 'waiting', suspended: false }))
    .catch((thrown: unknown) => thrown);
  if (!(failure instanceof ApplicationFailure)) throw new Error('it did not fail');
  return failure;
}

test('a connection that is closed during a write is retried, in whatever form the driver reports it', async () => {
  expect((await failureOf(new MongoNetworkError('connection 5 closed'))).nonRetryable).not.toBe(true);
  // the error of `Socket.write` after the other side has ended the connection
  const ended = Object.assign(new Error('This socket has been ended by the other party'), { code: 'EPIPE' });
  expect((await failureOf(ended)).nonRetryable).not.toBe(true);
});

test('a bug of Drover is not retried', async () => {
  expect((await failureOf(new TypeError('x is not a function'))).nonRetryable).toBe(true);
});

test.each([
  ['an update that would end within 16 KiB above 16 MiB', new MongoServerError({ message: 'too large', code: 17_419 })],
  ['an update that would end further above', new MongoServerError({ message: 'too large', code: 10_334 })],
  ['an insert just above', new MongoServerError({ message: 'object to insert too large', code: 2 })],
  [
    'a document larger than the buffer of the driver',
    Object.assign(new RangeError('out of range'), { code: 'ERR_OUT_OF_RANGE' }),
  ],
  ['the same in a bulk', bulkError({ index: 0, code: 17_419, errmsg: 'too large' })],
])('what MongoDB will never take is not retried: %s', async (_, error) => {
  expect((await failureOf(error)).nonRetryable).toBe(true);
});

test.each([
  ['a command that did not end in time', new CommandTimeoutError('no answer of MongoDB within 7000 ms')],
  ['a server that shuts down while it writes', new MongoServerError({ message: 'shutdown', code: 91 })],
  ['a bulk of which some met a failover', bulkError({ index: 0, code: 2 }, { index: 1, code: 10_107 })],
  ['a bulk whose connection was lost', new MongoBulkWriteError(new MongoNetworkError('lost') as never, NO_RESULT)],
])('what passes is retried: %s', async (_, error) => {
  expect((await failureOf(error)).nonRetryable).not.toBe(true);
});

test('the log says why an activity has failed', async () => {
  await failureOf(new MongoNetworkError('connection 5 closed'));
  expect(JSON.parse(log.at(-1) ?? '{}').err).toMatchObject({
    type: 'MongoNetworkError',
    message: 'connection 5 closed',
  });
});

test.each([
  ['an outage', new MongoNetworkError('connection 5 closed')],
  ['a bug', new TypeError('x is not a function')],
])(
  'the log says which batch and run %s has met, so that an operator finds it by the id that callers know',
  async (_, error) => {
    await failureOf(error);
    expect(JSON.parse(log.at(-1) ?? '{}')).toMatchObject({ activity: 'recordState', batchId: 'b', run: 1 });
  },
);

function bulkError(...errors: { index: number; code: number; errmsg?: string }[]): MongoBulkWriteError {
  const writeErrors = errors.map((err) => ({ ...err, err }));
  const [first] = errors;
  return new MongoBulkWriteError({ message: 'bulk', code: first?.code ?? 0, writeErrors } as never, NO_RESULT);
}
