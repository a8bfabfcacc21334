import type { Config } from './config.ts';
import type { Telemetry } from './trace-exporter.ts';

let installed: Promise<Telemetry> | undefined;

/** Whether spans are made. */
export const isTraced = ({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }: Config): boolean => endpoint !== undefined;

/**
 * Sends traces to a collector (OTLP over HTTP) if one is configured; the variables of OpenTelemetry's SDK for headers, sampling and batches apply. A process
 * has one tracing, named after the service that asks first.
 * @returns null if none is configured: then no span is made anywhere, and the SDK is not even loaded.
 */
export async function startTelemetry(
  { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: name }: Config,
  service: 'api' | 'worker',
): Promise<Telemetry | null> {
  if (endpoint === undefined) return null;
  installed ??= import('./trace-exporter.ts').then(({ installTracing }) =>
    installTracing(endpoint, `${name}-${service}`),
  );
  return installed;
}
