import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { bundleWorkflows } from '../../testkit/workflow-bundle.ts';
import { TRACING_MODULES } from '../../worker/trace-work.ts';
import { batchWorkflowId } from '../../workflows/messages.ts';
import { Drover } from '../harness/drover.ts';
import { historyFiles, replay, replayAll } from '../harness/histories.ts';
import { Collector, type ReceivedSpan } from './collector.ts';

/** Traces as a collector receives them. */

let drover: Drover;
const collector = new Collector();
const { spans: received } = collector;
let folder: string;
let traced: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-traces-'));
  traced = await bundleWorkflows(fileURLToPath(new URL('../..', import.meta.url)), folder, TRACING_MODULES);
  const endpoint = await collector.start();
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '200');
  drover = await Drover.start({
    worker: { workflowBundle: traced },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, RESOURCES_PER_ACTIVITY: '20' },
  });
  await drover.define('secret-schema', { name: { type: 'string' }, next: { $ref: 'reach:schemas/secret-schema' } });
}, 120_000);
afterAll(async () => {
  await drover.stop();
  collector.stop();
  await rm(folder, { recursive: true });
  vi.unstubAllEnvs();
});

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';

/** Waits for a span of each name, in a trace. */
async function spansOf(traceId: string, names: readonly string[]): Promise<ReceivedSpan[]> {
  const own = () => received.filter((span) => span.traceId === traceId);
  await vi.waitFor(
    () => expect([...new Set(own().map(({ name }) => name))]).toEqual(expect.arrayContaining([...names])),
    20_000,
  );
  return own();
}

async function uploaded(tenant: string, resources: readonly object[], traceparent: string): Promise<string> {
  const answer = await drover.request<{ batchId: string }>('POST', '/api/resources/secret-schema/batch', {
    tenant,
    headers: { traceparent, tracestate: 'vendor=a', baggage: 'user=secret-baggage' },
    body: { resources },
  });
  expect(answer.status).toBe(202);
  return answer.body.data.batchId;
}

describe('a batch', () => {
  let batchId: string;
  let spans: ReceivedSpan[];
  beforeAll(async () => {
    const many = Array.from({ length: 60 }, (_, n) => ({ externalId: `secret-id-${n}`, name: 'secret-name' }));
    batchId = await uploaded(
      'secret-tenant',
      [...many, { externalId: 7, name: 'secret-fault' }],
      `00-${TRACE}-${CALLER}-01`,
    );
    await drover.ended(batchId, { tenant: 'secret-tenant' });
    spans = await spansOf(TRACE, ['RunWorkflow:batchWorkflow', 'RunActivity:finishBatch']);
  }, 60_000);

  test('is one trace from the request of its caller through workflow and activities to each command', () => {
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const wayOf = (span: ReceivedSpan): string[] => {
      const above = byId.get(span.parentSpanId);
      return above === undefined ? [span.name] : [...wayOf(above), span.name];
    };
    const ways = spans.map((span) => wayOf(span).join(' > '));
    const request = 'POST /api/resources/:schemaDefinitionNameOrId/batch';
    const workflow = `${request} > StartWorkflow:batchWorkflow > RunWorkflow:batchWorkflow`;
    expect(ways).toEqual(
      expect.arrayContaining([
        request,
        `${request} > insert item_pages`,
        `${request} > insert batches`,
        workflow,
        `${workflow} > StartActivity:applyItems > RunActivity:applyItems > insert resources`,
        `${workflow} > StartActivity:applyItems > RunActivity:applyItems > insert intents`,
        `${workflow} > StartActivity:finishBatch > RunActivity:finishBatch > update batches`,
      ]),
    );
    // nothing of the trace hangs in the air
    expect(ways.filter((way) => !way.startsWith(request))).toEqual([]);
    expect(spans.filter(({ parentSpanId }) => parentSpanId === CALLER).map(({ name }) => name)).toEqual([request]);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
  });

  test('is named on each span from its acceptance on', () => {
    const named = spans.filter(({ attributes }) => attributes['drover.batch.id'] !== undefined);
    expect(new Set(named.map(({ attributes }) => attributes['drover.batch.id']))).toEqual(new Set([batchId]));
    const before = spans.filter((span) => !named.includes(span)).map(({ name }) => name);
    // before it has an id
    expect(before.filter((name) => !/^(find|aggregate|createIndexes|getMore) /.test(name))).toEqual([]);
    expect(named.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'insert item_pages',
        'RunWorkflow:batchWorkflow',
        'insert resources',
        'RunActivity:finishBatch',
      ]),
    );
  });

  test('shows nothing of its content, of its tenant, or of a failure', () => {
    const everything = Buffer.concat(collector.bodies).toString('latin1');
    expect(everything).toContain('insert resources');
    expect(everything).not.toMatch(/secret/);
    expect(spans.filter(({ hasEvents }) => hasEvents)).toEqual([]);
    expect([...new Set(spans.flatMap(({ attributes }) => Object.keys(attributes)))].sort()).toEqual([
      'db.collection.name',
      'db.namespace',
      'db.operation.name',
      'db.system.name',
      'drover.batch.id',
      'http.request.method',
      'http.response.status_code',
      'http.route',
      'run_id',
      'temporalActivityId',
    ]);
  });

  test('is not traced if its caller does not sample it', async () => {
    const [unsampled, sampled] = ['a'.repeat(32), 'b'.repeat(32)];
    await drover.ended(await uploaded('other', [{ externalId: 'quiet' }], `00-${unsampled}-${CALLER}-00`), {
      tenant: 'other',
    });
    await drover.ended(await uploaded('other', [{ externalId: 'loud' }], `00-${sampled}-${CALLER}-01`), {
      tenant: 'other',
    });
    await spansOf(sampled, ['RunWorkflow:batchWorkflow']);
    expect(received.filter(({ traceId }) => traceId === unsampled)).toEqual([]);
  });
});

describe('histories replay under workflows that are traced', () => {
  test('those that were recorded without', async () => {
    const files = historyFiles();
    expect(files.length).toBeGreaterThan(50);
    const failed: unknown[] = [];
    for await (const { workflowId, error } of replayAll(files, traced)) if (error) failed.push([workflowId, error]);
    expect(failed).toEqual([]);
  }, 120_000);

  test('and those of traced ones under workflows that are not', async () => {
    const tenant = 'replayed';
    const batchId = await uploaded(
      tenant,
      Array.from({ length: 60 }, (_, n) => ({ externalId: `r-${n}` })),
      '',
    );
    await drover.ended(batchId, { tenant });
    const history = await drover.services.client.workflow.getHandle(batchWorkflowId(batchId)).fetchHistory();
    await replay(history, traced);
    await replay(history);
  });
});
