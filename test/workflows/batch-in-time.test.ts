import { ApplicationFailure } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import type { BatchSummary } from '../../domain/batch/batch.ts';
import { noActions, noCounts } from '../../domain/batch/outcome.ts';
import type { Tally } from '../../domain/batch/tally.ts';
import { timeSkippingServerExecutable } from '../../testkit/time-skipping.ts';
import {
  BATCH_WORKFLOW_TYPE,
  type BatchInput,
  batchWorkflowId,
  type CarriedState,
  cancelSignal,
  dependenciesAvailableSignal,
  type PendingGroup,
  pendingItemsQuery,
  resumeSignal,
  SEARCH_ATTRIBUTES,
  statusQuery,
  suspendSignal,
} from '../../workflows/messages.ts';

/** Tests the workflow, on a clock that jumps: the results of its activities are given by the test. */
const HOUR = 3_600_000;
/** The tolerance of "now": the clock continues while the worker starts. */
const SOON = 60_000;

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
  });
  environment = await startEnvironment(await timeSkippingServerExecutable(() => undefined));
  await environment.connection.operatorService.addSearchAttributes({
    namespace: environment.namespace ?? 'default',
    searchAttributes: { [SEARCH_ATTRIBUTES.status]: temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD },
  });
}, 240_000);
afterAll(() => environment.teardown());

/** The SDK gives the server 5 s to start, which a busy machine may not have for a JVM. */
async function startEnvironment(path: string, tries = 5): Promise<TestWorkflowEnvironment> {
  try {
    return await TestWorkflowEnvironment.createTimeSkipping({
      server: { executable: { type: 'existing-path', path } },
    });
  } catch (error) {
    if (tries === 1) throw error;
    return startEnvironment(path, tries - 1);
  }
}

interface Call {
  readonly activity: keyof Activities;
  /** Time of the server, in ms since the start of the scene. */
  readonly at: number;
  readonly indexes: readonly number[];
}

const NOTHING: Tally = { counts: {}, actions: {}, errorCodes: {} };
let scenes = 0;

/** One batch, the calls of its activities, and their results. */
class Scene {
  readonly calls: Call[] = [];
  /** Items that can be applied. */
  readonly ready = new Set<number>();
  /** How many times expiring finds the items claimed by another batch. */
  claimed = 0;
  fails: keyof Activities | undefined;
  /** Items have waited for an earlier attempt of the activity that applies them. */
  hasWaited = false;
  /** Whether the workflow, at its end, knew all outcomes because all items had succeeded at once. */
  succeeded: number | undefined;
  /** Activities that fail the first time because of a server. */
  readonly failsOnce = new Set<keyof Activities>();
  /** Called while an activity applies ready items. */
  meanwhile: (() => Promise<void>) | undefined;
  readonly #deadlines: Map<number, number>;
  readonly #name: string;
  #startedAt = 0;

  /** @param deadlines of the items that are pending from the start on, in ms since the start. */
  constructor(deadlines: readonly number[]) {
    scenes += 1;
    this.#name = `scene-${scenes}`;
    this.#deadlines = new Map(deadlines.entries());
  }

  /** Starts the workflow with a worker, acts, and waits for its end. */
  async play(
    act: (handle: Awaited<ReturnType<Scene['start']>>) => Promise<void> = async () => undefined,
    carried?: Partial<CarriedState>,
  ): Promise<void> {
    this.#startedAt = await environment.currentTimeMs();
    const worker = await Worker.create({
      connection: environment.nativeConnection,
      taskQueue: this.#name,
      workflowBundle: { codePath: inject('workflowBundle') },
      activities: this.#activities(),
    });
    await worker.runUntil(async () => {
      const handle = await this.start(carried);
      await act(handle);
      await handle.result();
    });
  }

  start(carried?: Partial<CarriedState>) {
    const input: BatchInput = {
      batchId: this.#name,
      operation: 'upload',
      scope: 'default/default',
      schemaName: 'city',
      total: this.#deadlines.size,
      run: 1,
      activityTimeoutSeconds: 20,
      ...(carried && { carried: this.#carried(carried) }),
    };
    return environment.client.workflow.start<(input: BatchInput) => Promise<BatchSummary>>(BATCH_WORKFLOW_TYPE, {
      taskQueue: this.#name,
      workflowId: batchWorkflowId(this.#name),
      args: [input],
    });
  }

  #carried(more: Partial<CarriedState>): CarriedState {
    const counts = { ...noCounts(), pending: this.#deadlines.size };
    return {
      summary: { status: 'waiting', suspended: false, counts, actions: noActions(), errorCodes: {} },
      pending: this.#groups(this.#deadlines.keys()),
      cancelled: false,
      ...more,
    };
  }

  #groups(indexes: Iterable<number>): PendingGroup[] {
    return [...indexes].flatMap((index) => {
      const deadline = this.#deadlines.get(index);
      return deadline === undefined ? [] : [{ expiresAt: this.#startedAt + deadline, indexes: [index] }];
    });
  }

  /** When an activity was called, with the indexes of its items. */
  timesOf(activity: keyof Activities): Call[] {
    return this.calls.filter((call) => call.activity === activity);
  }

  #activities(): Partial<Activities> {
    const called = async (activity: keyof Activities, indexes: readonly number[] = []): Promise<void> => {
      this.calls.push({ activity, at: (await environment.currentTimeMs()) - this.#startedAt, indexes });
      if (this.failsOnce.delete(activity)) throw ApplicationFailure.retryable('a server is unavailable');
      if (this.fails === activity) throw ApplicationFailure.nonRetryable('a bug');
    };
    return {
      planBatch: async () => {
        await called('planBatch');
        return { tally: NOTHING, stages: [[{ kind: 'items', indexes: [...this.#deadlines.keys()] }]] };
      },
      applyItems: async ({ indexes }) => {
        await called('applyItems', indexes);
        if (indexes.some((index) => this.ready.has(index))) await this.meanwhile?.();
        const applied = indexes.filter((index) => this.ready.has(index) && this.#deadlines.delete(index));
        const pending = this.#groups(indexes);
        return {
          tally: { ...NOTHING, counts: { succeeded: applied.length, pending: pending.length } },
          pending,
          hasWaited: this.hasWaited,
        };
      },
      lookForDependencies: async ({ indexes }) => {
        await called('lookForDependencies', indexes);
        const ready = indexes.filter((index) => this.ready.has(index));
        return {
          settled: [],
          result: { tally: NOTHING, pending: [] },
          // one after the other
          ready: ready.map((index) => [[index]]),
          lookAgain: false,
        };
      },
      expireItems: async ({ indexes }) => {
        await called('expireItems', indexes);
        this.claimed -= 1;
        if (this.claimed < 0) for (const index of indexes) this.#deadlines.delete(index);
        const pending = this.#groups(indexes);
        return {
          tally: { ...NOTHING, counts: { expired: indexes.length - pending.length, pending: pending.length } },
          pending,
        };
      },
      recordState: () => called('recordState'),
      finishBatch: async ({ succeeded }) => {
        await called('finishBatch');
        this.succeeded = succeeded?.counts.succeeded;
        return { status: 'success', suspended: false, counts: noCounts(), actions: noActions(), errorCodes: {} };
      },
    };
  }
}

/** Expects that a call came at a moment, and not much later. */
function expectAt(call: Call | undefined, moment: number): void {
  expect(call?.at).toBeGreaterThanOrEqual(moment);
  expect(call?.at).toBeLessThan(moment + SOON);
}

describe('a waiting batch', () => {
  test('expires an item that has waited for a day', async () => {
    const scene = new Scene([24 * HOUR]);
    const started = Date.now();
    await scene.play();
    expectAt(scene.timesOf('expireItems')[0], 24 * HOUR);
    expect(scene.timesOf('expireItems')).toHaveLength(1);
    expectAt(scene.timesOf('finishBatch')[0], 24 * HOUR);
    expect(Date.now() - started).toBeLessThan(HOUR);
  });

  test('checks once more before it expires an item, and expires each at its own deadline', async () => {
    const scene = new Scene([2 * HOUR, 24 * HOUR, HOUR, 2 * HOUR]);
    await scene.play();
    const expired = scene.timesOf('expireItems');
    expect(expired.map((call) => call.indexes)).toEqual([[2], [0, 3], [1]]);
    for (const [n, moment] of [HOUR, 2 * HOUR, 24 * HOUR].entries()) {
      expectAt(expired[n], moment);
      expect(scene.calls[scene.calls.indexOf(expired[n] as Call) - 1]?.activity).toBe('lookForDependencies');
    }
  });

  test('checks after a signal, and not without one', async () => {
    const scene = new Scene([24 * HOUR, 24 * HOUR]);
    await scene.play(async (handle) => {
      await environment.sleep(5 * HOUR);
      expect(await handle.query(statusQuery)).toMatchObject({ status: 'waiting', counts: { pending: 2 } });
      scene.ready.add(1);
      await handle.signal(dependenciesAvailableSignal, []);
      await environment.sleep(HOUR);
      expect(await handle.query(pendingItemsQuery)).toMatchObject([{ index: 0 }]);
    });
    const checks = scene.timesOf('lookForDependencies').filter((call) => call.at > HOUR);
    expectAt(checks[0], 5 * HOUR);
    expectAt(checks[1], 24 * HOUR);
    expect(scene.timesOf('applyItems').map((call) => call.indexes)).toEqual([[0, 1], [1]]);
    expect(scene.timesOf('expireItems').map((call) => call.indexes)).toEqual([[0]]);
  });

  test('while it is suspended, lets deadlines run on and applies nothing; checks when it is resumed', async () => {
    const scene = new Scene([HOUR, 24 * HOUR]);
    await scene.play(async (handle) => {
      await environment.sleep(SOON);
      await handle.signal(suspendSignal);
      await environment.sleep(2 * HOUR);
      scene.ready.add(1);
      await handle.signal(dependenciesAvailableSignal, []);
      await environment.sleep(HOUR);
      expect(await handle.query(statusQuery)).toMatchObject({ suspended: true, counts: { pending: 1, expired: 1 } });
      expect(scene.timesOf('lookForDependencies').filter((call) => call.at > SOON)).toEqual([]);
      await handle.signal(resumeSignal);
    });
    expect(scene.timesOf('expireItems').map((call) => call.indexes)).toEqual([[0]]);
    expectAt(scene.timesOf('expireItems')[0], HOUR);
    expectAt(scene.timesOf('applyItems').at(-1), 3 * HOUR + SOON);
  });

  test('that is suspended while ready items are applied leaves the rest, whose deadlines run on', async () => {
    const scene = new Scene([24 * HOUR, 2 * HOUR]);
    await scene.play(async (handle) => {
      await environment.sleep(HOUR);
      scene.meanwhile = () => handle.signal(suspendSignal);
      for (const index of [0, 1]) scene.ready.add(index);
      await handle.signal(dependenciesAvailableSignal, []);
    });
    expect(scene.timesOf('applyItems').map((call) => call.indexes)).toEqual([[0, 1], [0]]);
    expect(scene.timesOf('expireItems').map((call) => call.indexes)).toEqual([[1]]);
    expectAt(scene.timesOf('expireItems')[0], 2 * HOUR);
  });

  test('ends at once when it is cancelled', async () => {
    const scene = new Scene([24 * HOUR]);
    await scene.play(async (handle) => {
      await environment.sleep(HOUR);
      await handle.signal(cancelSignal);
    });
    expectAt(scene.timesOf('finishBatch')[0], HOUR);
    expect(scene.timesOf('expireItems')).toEqual([]);
  });

  test('tries to expire due items again that another batch applies, at growing intervals', async () => {
    const scene = new Scene([HOUR]);
    scene.claimed = 3;
    await scene.play();
    const times = scene.timesOf('expireItems').map((call) => call.at);
    expect(times).toHaveLength(4);
    for (const [n, at] of times.slice(1).entries()) expect(at - (times[n] ?? 0)).toBeGreaterThanOrEqual(500);
  });

  test('ends if a check fails because of a bug', async () => {
    const scene = new Scene([24 * HOUR]);
    scene.fails = 'lookForDependencies';
    await scene.play();
    expectAt(scene.timesOf('finishBatch')[0], 0);
  });
});

describe('a small batch', () => {
  test('is planned and finished by separate tasks if a server fails inside the workflow task', async () => {
    const scene = new Scene([HOUR]);
    scene.ready.add(0);
    scene.failsOnce.add('planBatch').add('finishBatch');
    await scene.play(async (handle) => {
      await handle.result();
      const { events } = await handle.fetchHistory();
      const scheduled = events?.flatMap(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? [],
      );
      expect(scheduled).toEqual(['planBatch', 'applyItems', 'finishBatch']);
    });
    expect(scene.calls.map((call) => call.activity)).toEqual([
      ...['planBatch', 'planBatch', 'applyItems', 'finishBatch', 'finishBatch'],
    ]);
  });
});

describe('the result of a batch', () => {
  test('is known to the workflow if all items succeed at once', async () => {
    const scene = new Scene([HOUR, HOUR]);
    scene.ready.add(0).add(1);
    await scene.play();
    expect(scene.succeeded).toBe(2);
  });

  test('is taken from the store if an item has waited', async () => {
    const scene = new Scene([HOUR, HOUR]);
    scene.ready.add(0);
    await scene.play(async (handle) => {
      await environment.sleep(SOON);
      scene.ready.add(1);
      await handle.signal(dependenciesAvailableSignal, []);
    });
    expect(scene.timesOf('applyItems')).toHaveLength(2);
    expect(scene.succeeded).toBeUndefined();
  });

  test('is taken from the store if an item has waited in an attempt that died', async () => {
    const scene = new Scene([HOUR]);
    scene.ready.add(0);
    scene.hasWaited = true;
    await scene.play();
    expect(scene.timesOf('finishBatch')).toHaveLength(1);
    expect(scene.succeeded).toBeUndefined();
  });
});

describe('a batch continued as new', () => {
  test('plans nothing again, checks once, and keeps its deadlines', async () => {
    const scene = new Scene([HOUR, 24 * HOUR]);
    await scene.play(async (handle) => {
      expect(await handle.query(statusQuery)).toMatchObject({ status: 'waiting', counts: { queued: 0, pending: 2 } });
    }, {});
    expect(scene.timesOf('planBatch')).toEqual([]);
    expectAt(scene.timesOf('lookForDependencies')[0], 0);
    expect(scene.timesOf('expireItems').map((call) => call.indexes)).toEqual([[0], [1]]);
    expectAt(scene.timesOf('expireItems')[0], HOUR);
    expectAt(scene.timesOf('expireItems')[1], 24 * HOUR);
  });

  test('finds resources that appeared in between', async () => {
    const scene = new Scene([24 * HOUR]);
    scene.ready.add(0);
    await scene.play(undefined, {});
    expectAt(scene.timesOf('finishBatch')[0], 0);
  });

  test('stays suspended', async () => {
    const scene = new Scene([2 * HOUR]);
    scene.ready.add(0);
    const counts = { ...noCounts(), pending: 1 };
    await scene.play(undefined, {
      summary: { status: 'waiting', suspended: true, counts, actions: noActions(), errorCodes: {} },
    });
    expect(scene.timesOf('lookForDependencies')).toEqual([]);
    expectAt(scene.timesOf('expireItems')[0], 2 * HOUR);
  });
});
