import { noActions, noCounts } from '../../domain/batch/outcome.ts';
import { batchesIn } from '../../store/batches/batches.ts';
import {
  BATCH_WORKFLOW_TYPE,
  type BatchInput,
  batchWorkflowId,
  cancelSignal,
  dependenciesAvailableSignal,
} from '../../workflows/messages.ts';
import { Drover } from '../harness/drover.ts';
import { writeHistory } from '../harness/histories.ts';
import { acceptedUpload } from '../harness/left-behind.ts';
import { startTemporalOfSmallHistories } from '../harness/small-histories.ts';
import { alteredWorkflows } from './altered-workflows.ts';

const MAX_EVENTS = 40;
/** Number of events after which a usual server suggests a new execution. */
const USUAL_EVENTS = 4_096;
/** Signals that a workflow accepts before it continues as new by itself. */
const SIGNALS = 1_000;
const SIGNALS_AT_ONCE = 50;

const towns = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ externalId: `${prefix}-${n}`, name: 'Town' }));

/** A Drover whose worker runs workflows of one version. */
interface Played {
  readonly drover: Drover;
  readonly bundle: string;
}

/** Runs a batch that meets a marker. @returns the batch, and the execution that has met it. */
type Play = (played: Played) => Promise<{ id: string; runId: string }>;

/**
 * For each marker runs a batch that meets it, by workflows that have the marker and by those of the version before, and writes the histories to
 * `marker-….json` and `before-….json`.
 */
export async function recordMarkerHistories(): Promise<void> {
  const before = await alteredWorkflows('before', () => 'false');
  // these are markers of the workflows before `nextStep`
  const earlier = await alteredWorkflows('earlier', (each) => (each === 'decides-by-next-step' ? 'false' : undefined));
  const versions = { marker: earlier.path, before: before.path };
  for (const [version, bundle] of Object.entries(versions)) {
    for (const [maxEvents, plays] of [
      [MAX_EVENTS, SHORT_PLAYS],
      [USUAL_EVENTS, LONG_PLAYS],
    ] as const) {
      const temporal = await startTemporalOfSmallHistories(maxEvents);
      const environment = { TEMPORAL_ADDRESS: temporal.address, RESOURCES_PER_ACTIVITY: '2' };
      const drover = await Drover.start({ environment, worker: { workflowBundle: bundle } });
      await drover.define('town', { name: { type: 'string' }, near: { $ref: 'reach:schemas/town' } });
      for (const [marker, play] of Object.entries(plays)) {
        const { id, runId } = await play({ drover, bundle });
        const history = await handleOf(drover, id, runId).fetchHistory();
        writeHistory(`${version}-${marker}`, history);
      }
      await drover.stop();
      await temporal.stop();
    }
  }
}

const handleOf = ({ services }: Drover, id: string, runId?: string) =>
  services.client.workflow.getHandle(batchWorkflowId(id), runId);

const runOf = async (drover: Drover, id: string): Promise<string> => (await handleOf(drover, id).describe()).runId;

/** A batch of more activities than an execution may have events. */
const playLongPlan: Play = async ({ drover }) => {
  const id = await drover.upload('town', towns('long', 40));
  await drover.ended(id);
  const executions = (await batchesIn(drover.services.database).findOne({ _id: id }))?.executions ?? [];
  return { id, runId: executions[0] ?? '' };
};

/** A batch that is cancelled by the signal of a program while activities are at work. */
const playCancel: Play = async ({ drover }) => {
  let [begin, open] = [(): void => undefined, (): void => undefined];
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  drover.atCheckpoint(async (at) => {
    if (at !== 'inserted') return;
    begin();
    await opened;
  });
  const id = await drover.upload('town', towns('cut', 12));
  await begun;
  await handleOf(drover, id).signal(cancelSignal);
  for (;;) {
    const events = (await handleOf(drover, id).fetchHistory()).events ?? [];
    const at = events.findIndex((event) => event.workflowExecutionSignaledEventAttributes);
    if (at >= 0 && events.slice(at).some((event) => event.workflowTaskCompletedEventAttributes)) break;
  }
  drover.atCheckpoint(undefined);
  open();
  await drover.ended(id);
  return { id, runId: await runOf(drover, id) };
};

/** A batch that begins with the plan and the remaining work of an earlier execution. */
const playLeft: Play = async ({ drover }) => {
  const total = 8;
  const id = await acceptedUpload(drover, 'town', towns('left', total));
  const work = (from: number) => ({ kind: 'items' as const, indexes: [from, from + 1] });
  const input: BatchInput = {
    batchId: id,
    operation: 'upload',
    scope: 'default/default',
    schemaName: 'town',
    total,
    run: 1,
    activityTimeoutSeconds: 5,
    carried: {
      summary: {
        status: 'processing',
        suspended: false,
        counts: { ...noCounts(), queued: total },
        actions: noActions(),
        errorCodes: {},
      },
      pending: [],
      cancelled: false,
      cursor: 0,
      left: {
        stages: [
          [work(0), work(2)],
          [work(4), work(6)],
        ],
      },
    },
  };
  const { client, taskQueue } = drover.services;
  await client.workflow.start(BATCH_WORKFLOW_TYPE, { taskQueue, workflowId: batchWorkflowId(id), args: [input] });
  await drover.ended(id);
  return { id, runId: await runOf(drover, id) };
};

/** A batch that is signalled a thousand times while no worker runs. */
const playSignals: Play = async ({ drover, bundle }) => {
  const id = await drover.upload('town', [{ externalId: 'signalled', near: 'nowhere' }], {
    dependencyWaitTimeout: 3600,
  });
  await drover.waiting(id);
  const runId = await runOf(drover, id);
  const handle = handleOf(drover, id);
  await drover.stopWorker();
  for (let sent = 0; sent < SIGNALS; sent += SIGNALS_AT_ONCE) {
    await Promise.all(Array.from({ length: SIGNALS_AT_ONCE }, () => handle.signal(dependenciesAvailableSignal, [])));
  }
  await drover.startWorker({ workflowBundle: bundle });
  await drover.waiting(id);
  await handle.signal(cancelSignal);
  await drover.ended(id);
  return { id, runId };
};

const SHORT_PLAYS: Readonly<Record<string, Play>> = {
  'continues-as-new-in-its-plan': playLongPlan,
  'stores-its-cancellation': playCancel,
  'takes-up-what-is-planned': playLeft,
};
const LONG_PLAYS: Readonly<Record<string, Play>> = { 'continues-as-new-by-its-signals': playSignals };
