import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, test } from 'vitest';
import { historyFiles, IS_RECORDING, readHistory, replay } from '../harness/histories.ts';

/**
 * Recorded histories of batches, imports, bulk operations and webhooks: the executions of existing installations must still replay under the present
 * workflows. `version-2-*` are of executions whose input has a version; `late-finish-*` are made of `upload`: its last workflow task times out
 * while the batch is being finished, and a signal comes. CONTRIBUTING.md ("Changing a workflow") says when and how to record them anew.
 */
beforeAll(() => {
  if (IS_RECORDING) return;
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
  });
});

test.runIf(IS_RECORDING)('record', async () => {
  const { recordHistories } = await import('./record-histories.ts');
  await recordHistories();
});

test.runIf(IS_RECORDING)('record imports', async () => {
  const { recordImportHistories } = await import('./record-import-histories.ts');
  await recordImportHistories();
});

test.runIf(IS_RECORDING)('record webhooks, bulk operations and start times', async () => {
  const { recordToldHistories } = await import('./record-histories.ts');
  await recordToldHistories();
});

test.runIf(IS_RECORDING)('record undos', async () => {
  const { recordUndoHistories } = await import('./record-histories.ts');
  await recordUndoHistories();
});

describe('a recorded history replays', () => {
  test.each(historyFiles())('%s', async (file) => {
    await replay(readHistory(file));
  });
});

interface Event {
  readonly eventType: string;
  readonly markerRecordedEventAttributes?: { readonly markerName: string };
}

describe('a history does not replay', () => {
  /** The history of an upload, with one event changed. */
  function doctored(isMeant: (event: Event) => boolean, change: (text: string) => string): unknown {
    const history = readHistory('upload.json');
    const at = history.events.findIndex(isMeant);
    expect(at).toBeGreaterThan(0);
    history.events[at] = JSON.parse(change(JSON.stringify(history.events[at])));
    return history;
  }

  test('in which another activity was scheduled than the workflow would schedule', async () => {
    const history = doctored(
      ({ eventType }) => eventType === 'EVENT_TYPE_ACTIVITY_TASK_SCHEDULED',
      (text) => text.replace('applyItems', 'applyOthers'),
    );
    await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
  });

  test('in which a plan contained more work than was run', async () => {
    const moreWork = (text: string): string =>
      text.replace(/(?<="result":.*"data": ?)"([^"]+)"/, (_, data: string) => {
        const plan = JSON.parse(Buffer.from(data, 'base64').toString());
        plan.stages[0].push({ kind: 'items', indexes: [1_000] });
        return `"${Buffer.from(JSON.stringify(plan)).toString('base64')}"`;
      });
    const history = doctored(
      ({ markerRecordedEventAttributes: marker }) => marker?.markerName === 'core_local_activity',
      moreWork,
    );
    await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
  });
});
