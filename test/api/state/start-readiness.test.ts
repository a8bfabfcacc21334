import { ServiceError } from '@temporalio/client';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { errorAnswer } from '../../../api/http/error-answers.ts';
import { StartReadiness } from '../../../api/state/start-readiness.ts';
import { SEARCH_ATTRIBUTES } from '../../../domain/batch/search-attributes.ts';

/** The answers of Temporal to a start are simulated: the embedded server has neither accounts nor such limits. */

const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const KEYWORD = 2;

const grpcError = (code: number, details: string): Error =>
  Object.assign(new Error(details), { code, details, metadata: {} });
const failure = (code: number, details = 'no'): ServiceError =>
  new ServiceError('Failed to start Workflow', { cause: grpcError(code, details) });

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** A simulated Temporal that is set up for batches; its answer to the start of the recovery workflow can be set. */
function played() {
  const start = vi.fn(async (): Promise<void> => undefined);
  const names = Object.values(SEARCH_ATTRIBUTES);
  const customAttributes = Object.fromEntries(names.map((name) => [name, KEYWORD]));
  const client = {
    options: { namespace: 'default' },
    withDeadline: (_: number, call: () => Promise<unknown>) => call(),
    workflow: { start },
    workflowService: { describeNamespace: async () => ({}) },
    connection: { operatorService: { listSearchAttributes: async () => ({ customAttributes }) } },
  };
  const logger = pino({ level: 'silent' });
  return { start, readiness: new StartReadiness({ client: client as never, taskQueue: 'drover', logger }) };
}

describe('after a start that Temporal refused', () => {
  test('because it is busy, callers get a 429 with Retry-After for a moment, and /readyz reports nothing missing', async () => {
    const { readiness } = played();
    readiness.startFailed(failure(RESOURCE_EXHAUSTED));
    expect(await readiness.assertStarts().catch(errorAnswer)).toMatchObject({ status: 429, retryAfterSeconds: 2 });
    expect(await readiness.missing()).toEqual([]);
    vi.advanceTimersByTime(2_001);
    await readiness.assertStarts();
  });

  test('because of that one batch, all others are accepted', async () => {
    const { readiness, start } = played();
    readiness.startFailed(failure(INVALID_ARGUMENT, 'WorkflowId length exceeds limit.'));
    await readiness.assertStarts();
    expect(start).not.toHaveBeenCalled();
  });

  test('because of missing permissions, no batch is accepted until Temporal accepts a start: that of the recovery workflow', async () => {
    const { readiness, start } = played();
    start.mockRejectedValue(failure(PERMISSION_DENIED));
    readiness.startFailed(failure(PERMISSION_DENIED));
    for (let times = 0; times < 3; times++) {
      expect(await readiness.assertStarts().catch(errorAnswer)).toMatchObject({ status: 503, server: 'temporal' });
      vi.advanceTimersByTime(60_000);
    }
    expect(await readiness.missing()).toEqual(['permission to start workflows']);
    start.mockResolvedValue(undefined);
    vi.advanceTimersByTime(1_001);
    await readiness.assertStarts();
    expect(await readiness.missing()).toEqual([]);
  });

  test('because of a search attribute that it does not know yet, the attribute is named', async () => {
    const { readiness, start } = played();
    const unknown = failure(
      INVALID_ARGUMENT,
      'Namespace default has no mapping defined for search attribute DroverTenant',
    );
    start.mockRejectedValue(unknown);
    readiness.startFailed(unknown);
    expect(await readiness.missing()).toEqual(['search attribute DroverTenant (Keyword)']);
  });
});
