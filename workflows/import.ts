import {
  CancellationScope,
  condition,
  continueAsNew,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { fairness } from '../domain/batch/fairness-key.ts';
import type { ImportSummary } from '../domain/imports/import.ts';
import { describeImport } from './imports/describe-import.ts';
import { ImportProgress } from './imports/import-progress.ts';
import {
  batchReportedSignal,
  contentReceivedSignal,
  type ImportInput,
  importControlSignal,
  importStatusQuery,
} from './imports/messages.ts';

/** Signals after which an execution continues as new: a tenth of the number after which Temporal refuses signals. */
const SIGNALS_PER_EXECUTION = 1_000;
/** An outage is retried without end, as in batches. */
const RETRY = { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/**
 * One import: cuts its content into ordinary batches and keeps a window of them running, until all are finished. A batch
 * reports by signal when only items are left that wait, and when it is finished; a window place is free then. What waits until the end of the
 * import is ended when nothing of it can create what is missing. It survives any crash: everything is stored, and is read again.
 */
export async function importWorkflow(input: ImportInput): Promise<ImportSummary> {
  const progress = new ImportProgress(input);
  const received = receiveMessages(progress);
  return CancellationScope.nonCancellable(() => run(input, progress, received));
}

interface Received {
  signals: number;
}

/** Sets the handlers before the first await, so that no early message is lost. */
function receiveMessages(progress: ImportProgress): Received {
  const received: Received = { signals: 0 };
  setHandler(importStatusQuery, () => progress.summary(Date.now()));
  setHandler(contentReceivedSignal, () => {
    received.signals += 1;
    progress.contentReceived();
  });
  setHandler(importControlSignal, () => {
    received.signals += 1;
    progress.outdate();
  });
  setHandler(batchReportedSignal, (report) => {
    received.signals += 1;
    progress.reported(report, Date.now());
  });
  // a cancellation requested in the Temporal UI has the same effect as one by the API
  CancellationScope.current().cancelRequested.catch(() => progress.cancelledInTemporal());
  return received;
}

async function run(input: ImportInput, progress: ImportProgress, received: Received): Promise<ImportSummary> {
  const { importId, run: runOfImport } = input;
  const id = { importId, run: runOfImport };
  const { checkImport, cutImport, settleImport, finishImport } = activitiesOf(input);
  const next = () => {
    const isLong = workflowInfo().continueAsNewSuggested || received.signals >= SIGNALS_PER_EXECUTION;
    return progress.nextStep(isLong, Date.now());
  };
  for (;;) {
    const step = next();
    setCurrentDetails(describeImport(input, progress.summary(Date.now())));
    switch (step.kind) {
      case 'check':
        progress.beginCheck();
        progress.checked(await checkImport({ ...id, ...progress.asked }), Date.now());
        break;
      case 'settle':
        progress.settled(await settleImport(id), Date.now());
        break;
      case 'cut':
        progress.beginCut();
        progress.cut(
          await cutImport({
            ...id,
            from: progress.next,
            room: step.room,
            takesFew: progress.isIdle,
            retryFrom: progress.retryFrom,
          }),
          Date.now(),
        );
        break;
      case 'wait': {
        const { until } = step;
        const isOver = (): boolean => {
          const now = next();
          return now.kind !== 'wait' || now.until !== until;
        };
        await condition(isOver, until - Date.now(), { summary: 'waiting for batches, or for content' });
        break;
      }
      case 'continue-as-new':
        return continueAsNew<typeof importWorkflow>({ ...input, ...progress.carry() });
      case 'finish': {
        const summary = await finishImport({ ...id, cancelled: progress.cancelled });
        if (summary !== null) return finished(input, progress, summary);
        progress.outdate();
        break;
      }
      default:
        step satisfies never;
    }
  }
}

function finished(
  input: ImportInput,
  progress: ImportProgress,
  summary: Parameters<ImportProgress['finish']>[0],
): ImportSummary {
  const now = Date.now();
  progress.finish(summary, progress.summary(now).batches.total, now);
  const last = progress.summary(now);
  setCurrentDetails(describeImport(input, last));
  return last;
}

function activitiesOf({ scope, schemaName, activityTimeoutSeconds, priority, isForAll }: ImportInput) {
  const options = {
    startToCloseTimeout: '15m',
    heartbeatTimeout: activityTimeoutSeconds * 1000,
    retry: RETRY,
    // few and short: they do not wait behind the batches that they feed
    priority: fairness({
      scope,
      total: 0,
      ...(priority !== undefined && { priority }),
      ...(isForAll && { isForAll }),
    }),
  } as const;
  const call = (summary: string, more: { readonly startToCloseTimeout?: '12h' } = {}) =>
    proxyActivities<Activities>({ ...options, ...more, summary });
  return {
    checkImport: call(`check the batches of an import of ${schemaName}`).checkImport,
    cutImport: call(`cut an import of ${schemaName} into batches`).cutImport,
    // reads all that waits, which may be millions of rows: as long as it shows progress by heartbeats, it is not given up
    settleImport: call(`settle what waits of an import of ${schemaName}`, { startToCloseTimeout: '12h' }).settleImport,
    finishImport: call(`finish an import of ${schemaName}`).finishImport,
  };
}
