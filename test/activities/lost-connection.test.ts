import { ApplicationFailure } from '@temporalio/activity';
import { MongoNetworkError } from 'mongodb';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Dependencies } from '../../activities/dependencies.ts';
import { createActivities } from '../../activities/index.ts';

/** What `recordState` makes of an error that its first command throws. */
async function failureOf(error: Error): Promise<ApplicationFailure> {
  const database = { batches: { updateOne: () => Promise.reject(error) } };
  const activities = createActivities({ database, logger: pino({ level: 'silent' }) } as unknown as Dependencies);
  const failure = await activities
    .recordState({ batchId: 'b', run: 1, status: 'waiting', suspended: false })
    .catch((thrown: unknown) => thrown);
  if (!(failure instanceof ApplicationFailure)) throw new Error('it did not fail');
  return failure;
}

test('a connection that is closed while it is written to is retried, however the driver puts it', async () => {
  expect((await failureOf(new MongoNetworkError('connection 5 closed'))).nonRetryable).not.toBe(true);
  // what `Socket.write` throws after the other side has ended the connection
  const ended = Object.assign(new Error('This socket has been ended by the other party'), { code: 'EPIPE' });
  expect((await failureOf(ended)).nonRetryable).not.toBe(true);
});

test('a bug of ours is not retried', async () => {
  expect((await failureOf(new TypeError('x is not a function'))).nonRetryable).toBe(true);
});
