import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Config } from '../process/config.ts';

let isInstalled = false;

/** Bounds of the histograms of batches, in seconds: a small batch takes a hundredth of a second, a wait up to a day. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 21_600, 86_400];
const BUCKETS = { drover_batch_duration: SECONDS, drover_batch_first_item: SECONDS, drover_item_wait: SECONDS };

/**
 * What all workers of a process share: the SDK and its native part write to Drover's logger, and serve metrics (their own and those
 * of activities) if an address is configured. Only the first call has an effect: a process has one runtime.
 */
export function installRuntime(
  { WORKER_METRICS_ADDRESS: bindAddress }: Pick<Config, 'WORKER_METRICS_ADDRESS'>,
  logger: Logger,
): void {
  if (isInstalled) return;
  isInstalled = true;
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      logger[level === 'ERROR' ? 'error' : 'warn']({ sdk: { message, ...withoutBodies(meta) } }, 'temporal');
    }),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      ...(bindAddress !== undefined && {
        metrics: {
          prometheus: {
            bindAddress,
            countersTotalSuffix: true,
            unitSuffix: true,
            useSecondsForDurations: true,
            histogramBucketOverrides: BUCKETS,
          },
        },
      }),
    },
    shutdownSignals: [],
  });
}

/** The fields that the SDK logs for an activity or workflow, reduced to names and ids. */
function withoutBodies(meta: Record<string, unknown> | undefined): Record<string, unknown> {
  const { workflowId, activityType, attempt, error } = meta ?? {};
  return { workflowId, activityType, attempt, error: error instanceof Error ? error.message : error };
}
