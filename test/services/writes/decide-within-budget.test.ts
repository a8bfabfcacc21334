import { expect, test } from 'vitest';
import type { ItemError } from '../../../domain/batch/outcome.ts';
import { type CompiledSchema, compileSchema } from '../../../domain/schema/compiler.ts';
import { attemptOf } from '../../../isolation/attempts/attempt.ts';
import { decideWithinBudget } from '../../../services/writes/decide-within-budget.ts';
import type { WorkItem } from '../../../services/writes/work-items.ts';

const ENDED: ItemError = { code: 'validation', message: 'takes longer than 1 s to check against its schema' };

/** Decides an item whose validation takes far longer than estimated. @returns where it was validated, and its outcome. */
async function decided(isAfterTimeout: boolean, body = {}) {
  const where: string[] = [];
  const compiled: CompiledSchema = {
    ...compileSchema({ type: 'object' }, 'externalId'),
    estimateNs: () => 1,
    faults: () => {
      where.push('in place');
      return [];
    },
  };
  const rules = { operation: 'upload', onconflict: 'upsert', ignoreUnknownFields: false, schema: compiled };
  const data = { externalId: 'a', ...body };
  const item = { key: 'p/t/s/a', body: data, references: [], rules, schema: { compiled } } as unknown as WorkItem;
  const schemas = {
    faultsInThread: async () => {
      where.push('in a thread');
      return [ENDED];
    },
  } as unknown as Parameters<typeof decideWithinBudget>[0];
  const budget = { inThreadOnly: isAfterTimeout, threadMs: 9_000 };
  const none = () => new Set<WorkItem>();
  const result = await decideWithinBudget(schemas, budget, [item], new Map(), () => false, none);
  return { where, decision: result.decided.decisions.get(item) };
}

test('a resource whose cost was underestimated is validated in a thread after an attempt that ran out of time, and fails alone', async () => {
  expect(await decided(false)).toMatchObject({ where: ['in place'], decision: { kind: 'written' } });
  expect(await decided(true)).toMatchObject({ where: ['in a thread'], decision: { kind: 'failed', errors: [ENDED] } });
});

test('an attempt knows whether an earlier one may have run out of time', () => {
  const attempt = (number: number, sinceFirstMs: number) =>
    attemptOf({
      workflowExecution: { workflowId: 'w', runId: 'r' },
      activityId: '1',
      activityType: 'applyItems',
      attempt: number,
      startToCloseTimeoutMs: 10_000,
      scheduledTimestampMs: 1_000,
      currentAttemptScheduledTimestampMs: 1_000 + sinceFirstMs,
    }).isAfterTimeout;
  expect(attempt(1, 0)).toBe(false);
  // the attempt was blocked, and the next one came soon
  expect(attempt(2, 150)).toBe(false);
  expect(attempt(2, 6_100)).toBe(true);
  expect(attempt(3, 20_000)).toBe(true);
});
