import { type Attributes, type Context, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { Resource } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  type ReadableSpan,
  type Span,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';

/** The tracing of a process. */
export interface Telemetry {
  readonly resource: Resource;
  readonly processor: SpanProcessor;
  /** Sends what is not sent yet. */
  flush(): Promise<void>;
}

/** Makes this process trace: from now on spans are sent to this collector. */
export function installTracing(endpoint: string, service: string): Telemetry {
  const resource = Resource.default().merge(new Resource({ 'service.name': service }));
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const processor = new NamesOnly(new BatchSpanProcessor(new OTLPTraceExporter({ url })));
  const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
  // `traceparent` and `tracestate`, and no baggage: what a caller adds to that would go on to Temporal
  provider.register({ propagator: new W3CTraceContextPropagator() });
  return { resource, processor, flush: () => processor.forceFlush() };
}

/** The attribute by which all spans of a batch are found. */
const BATCH_ATTRIBUTE = 'drover.batch.id';
/** The ids of the workflows of batches. */
const OF_BATCH = /^batch-([0-9a-f-]{36})$/;

/** The batch that a span is about, by what it says itself; undefined if it says nothing. */
function batchOfSpan(attributes: Attributes): string | undefined {
  const named = attributes[BATCH_ATTRIBUTE];
  if (typeof named === 'string') return named;
  const workflowId = attributes.temporalWorkflowId ?? attributes.workflowId;
  return typeof workflowId === 'string' ? OF_BATCH.exec(workflowId)?.[1] : undefined;
}

/** What a span may say: names, numbers and ids of ours. */
const SAID: ReadonlySet<string> = new Set([
  BATCH_ATTRIBUTE,
  'db.collection.name',
  'db.namespace',
  'db.operation.name',
  'db.system.name',
  'error.type',
  'http.request.method',
  'http.response.status_code',
  'http.route',
  'run_id',
  'temporalActivityId',
]);

/**
 * Passes spans on without what may be a tenant's: messages of errors, and everything that a library adds. (Temporal's adds all that is known of a
 * workflow: its memo and its search attributes, which name the tenant.) A span that does not say which batch it is about, and follows one that does, is about the same.
 */
class NamesOnly implements SpanProcessor {
  readonly #next: SpanProcessor;

  constructor(next: SpanProcessor) {
    this.#next = next;
  }

  onStart(span: Span, parent: Context): void {
    const above = trace.getSpan(parent) as Partial<ReadableSpan> | undefined;
    const batchId = above?.attributes && batchOfSpan(above.attributes);
    if (batchId !== undefined) span.setAttribute(BATCH_ATTRIBUTE, batchId);
    this.#next.onStart(span, parent);
  }

  onEnd(span: ReadableSpan): void {
    const said = Object.entries(span.attributes).filter(([name]) => SAID.has(name));
    const batchId = batchOfSpan(span.attributes);
    const attributes = { ...Object.fromEntries(said), ...(batchId !== undefined && { [BATCH_ATTRIBUTE]: batchId }) };
    const shown = { attributes, events: [], status: { code: span.status.code } };
    this.#next.onEnd(Object.create(span, Object.getOwnPropertyDescriptors(shown)) as ReadableSpan);
  }

  forceFlush(): Promise<void> {
    return this.#next.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#next.shutdown();
  }
}
