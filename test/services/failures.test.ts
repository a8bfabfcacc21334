import { ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { DroverError } from '../../domain/errors.ts';
import { createLogger } from '../../process/logging.ts';
import { classifyFailure, type Failure, logPostponed, startFailure } from '../../services/failures.ts';

const grpcError = (code: number, details = '') => Object.assign(new Error(details), { code, details, metadata: {} });
const wrapped = (code: number, details?: string) =>
  new ServiceError('a call failed', { cause: grpcError(code, details) });

const UNAVAILABLE = grpcError(14);
const BUSY = grpcError(8);
const INVALID = grpcError(3, 'workflow id length exceeds limit');
const UNREGISTERED = grpcError(3, 'Namespace default has no mapping defined for search attribute DroverTenant');

describe('a failure', () => {
  const outage = (server: 'mongodb' | 'temporal', isBusy = false): Failure => ({ kind: 'outage', server, isBusy });
  test.each<[name: string, error: unknown, failure: Failure]>([
    ['of the connection to MongoDB is an outage', new MongoNetworkError('reset'), outage('mongodb')],
    ['of MongoDB itself is an outage', new MongoServerError({ code: 189, message: 'stepped down' }), outage('mongodb')],
    [
      'of a command that MongoDB never accepts is a refusal',
      new MongoServerError({ code: 10_334, message: 'too large' }),
      { kind: 'refusal', server: 'mongodb' },
    ],
    ['of Temporal is an outage', UNAVAILABLE, outage('temporal')],
    ['of Temporal is an outage, wrapped by the client too', wrapped(14), outage('temporal')],
    [
      'of a server of Temporal that rejects calls for a moment is an outage that says so',
      BUSY,
      outage('temporal', true),
    ],
    ['of a call that Temporal never accepts is a refusal', INVALID, { kind: 'refusal', server: 'temporal' }],
    ['of a search attribute that is not registered yet is an outage', UNREGISTERED, outage('temporal')],
    ['to find a workflow is an outage', new WorkflowNotFoundError('gone', 'batch-1', undefined), outage('temporal')],
    ['to connect in time is an outage', new Error('Failed to connect before the deadline'), outage('temporal')],
    ["of Drover's own code is a bug", new TypeError('x is not a function'), { kind: 'bug' }],
    ['that is no error is a bug', 'text', { kind: 'bug' }],
  ])('%s', (_, error, failure) => {
    expect(classifyFailure(error)).toEqual(failure);
  });
});

test('a start that fails says whether this batch, an operator or time decides about the next one', () => {
  expect([INVALID, UNREGISTERED, BUSY, grpcError(7), grpcError(5), wrapped(9), UNAVAILABLE].map(startFailure)).toEqual([
    'refused',
    'not_set_up',
    'busy',
    'denied',
    'not_set_up',
    'refused',
    'unavailable',
  ]);
});

test.each([
  ['an outage', new MongoNetworkError('reset'), 40],
  ['a definition that is being changed', new DroverError('change_busy', 'busy'), 40],
  [
    'a start that Temporal did not accept during an outage',
    new DroverError('start_failed', 'no', { cause: UNAVAILABLE }),
    40,
  ],
  ['a start that Temporal will never accept', new DroverError('start_failed', 'no', { cause: INVALID }), 50],
  ['a bug', new TypeError('x is not a function'), 50],
])('what is left to a later attempt because of %s is logged with the level that it needs', (_, error, level) => {
  const lines: string[] = [];
  const logger = createLogger({ LOG_LEVEL: 'info' }, {}, { write: (line) => void lines.push(line) });
  logPostponed(logger, error, {}, 'recovery goes on later');
  expect(lines.map((line) => JSON.parse(line).level)).toEqual([level]);
});
