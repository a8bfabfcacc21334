import { createRequire } from 'node:module';
import {
  makeWorkflowExporter,
  OpenTelemetryActivityInboundInterceptor,
} from '@temporalio/interceptors-opentelemetry/lib/worker/index.js';
import type { ActivityInterceptorsFactory, InjectedSinks, WorkerOptions } from '@temporalio/worker';
import type { Sinks } from '@temporalio/workflow';
import type { Telemetry } from '../process/trace-exporter.ts';

/** An activity that never ends, and has no request above it: its spans would be one trace of ten minutes. */
const RECOVERY = 'recover';

/** Modules that are bundled with the workflows where these are traced. @internal exported for tests, which bundle workflows themselves */
export const TRACING_MODULES: readonly string[] = [
  createRequire(import.meta.url).resolve('@temporalio/interceptors-opentelemetry/lib/workflow-interceptors'),
];

const traceActivity: ActivityInterceptorsFactory = (context) =>
  context.info.activityType === RECOVERY ? {} : { inbound: new OpenTelemetryActivityInboundInterceptor(context) };

/** The part of a worker's options that traces. */
interface Tracing extends Pick<WorkerOptions, 'sinks'> {
  readonly activity: readonly ActivityInterceptorsFactory[];
  readonly workflowModules: string[];
}

/** Spans of workflows are not sent again when a workflow is replayed. */
export function tracing(telemetry: Telemetry | null): Tracing {
  if (telemetry === null) return { activity: [], workflowModules: [] };
  return {
    activity: [traceActivity],
    workflowModules: [...TRACING_MODULES],
    // its type of sinks has names of its own
    sinks: {
      exporter: makeWorkflowExporter(telemetry.processor, telemetry.resource),
    } as unknown as InjectedSinks<Sinks>,
  };
}
