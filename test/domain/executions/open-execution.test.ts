import { expect, test } from 'vitest';
import { OPEN } from '../../../domain/executions/process-instance-condition.ts';
import { type ExecutionView, holds, renderVisibility } from '../../../domain/executions/visibility-condition.ts';
import { toView } from '../../../services/executions/executions.ts';

/** An execution ends with its close time and not before: a paused execution (Temporal 1.30) is alive. */

const seconds = (of: Date): { seconds: never } => ({ seconds: (of.getTime() / 1000) as never });
const view = (status: number, closeTime?: Date): ExecutionView =>
  toView({
    execution: { workflowId: 'w', runId: 'r' },
    status,
    startTime: seconds(new Date(0)),
    ...(closeTime && { closeTime: seconds(closeTime) }),
  });

const RUNNING = 1;
const COMPLETED = 2;
const PAUSED = 8;
/** A status that a later server may have. */
const UNKNOWN = 99;

test.each([
  ['running', RUNNING],
  ['paused', PAUSED],
  ['in a state that this version does not know', UNKNOWN],
])('one that is %s is open', (_, status) => {
  expect(holds(OPEN, view(status))).toBe(true);
});

test.each([
  ['completed', COMPLETED],
  ['in a state that this version does not know', UNKNOWN],
])('one that is %s and has a close time is not', (_, status) => {
  expect(holds(OPEN, view(status, new Date(1_000)))).toBe(false);
});

test('visibility queries use the close time too, not a list of states', () => {
  expect(renderVisibility(OPEN)).toEqual({ query: 'CloseTime IS NULL', exact: true });
});
