import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { timeSkippingServerExecutable } from '../../testkit/time-skipping.ts';

let environment: TestWorkflowEnvironment;

beforeAll(async () => {
  const path = await timeSkippingServerExecutable((line) => console.log(line));
  environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
  });
}, 240_000);

afterAll(() => environment.teardown());

test('a day passes in moments on the time-skipping server', async () => {
  const before = await environment.currentTimeMs();
  const started = Date.now();
  await environment.sleep('24 hours');
  expect((await environment.currentTimeMs()) - before).toBeGreaterThanOrEqual(86_400_000);
  expect(Date.now() - started).toBeLessThan(10_000);
});
