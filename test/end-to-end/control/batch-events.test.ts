import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createApp } from '../../../api/app.ts';
import { BatchEvents } from '../../../api/state/batch-events.ts';
import type { Health } from '../../../api/state/health.ts';
import type { BatchView } from '../../../services/batches/view-batch.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { Drover } from '../../harness/drover.ts';

let drover: Drover;
let server: Server;
let url: string;
beforeAll(async () => {
  drover = await Drover.start({ environment: { RESOURCES_PER_ACTIVITY: '1' } });
  await drover.define('lamp', { next: { $ref: 'reach:schemas/lamp' } });
  server = createAdaptorServer({ fetch: drover.app.fetch }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await drover.stop();
});

interface Event {
  readonly id: string;
  readonly batch: BatchView;
}

/** The events of one stream, one after the other; null at its end. */
class Stream {
  readonly response: Response;
  readonly #reader;

  constructor(response: Response) {
    this.response = response;
    this.#reader = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>)
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream())
      .getReader();
  }

  async next(): Promise<Event | null> {
    const { value } = await this.#reader.read();
    if (value === undefined) return null;
    expect(value.event).toBe('batch');
    return { id: value.id ?? '', batch: JSON.parse(value.data) };
  }

  async until(isThere: (batch: BatchView) => boolean): Promise<Event> {
    let last: Event | null = null;
    for (;;) {
      const event = await this.next();
      if (event === null) throw new Error(`the stream ended before; its last event was ${JSON.stringify(last)}`);
      if (isThere(event.batch)) return event;
      last = event;
    }
  }

  async rest(): Promise<Event[]> {
    const events: Event[] = [];
    for (let event = await this.next(); event !== null; event = await this.next()) events.push(event);
    return events;
  }

  close(): Promise<void> {
    return this.#reader.cancel();
  }
}

const watch = async (id: string, lastEventId?: string): Promise<Stream> =>
  new Stream(
    await fetch(`${url}/api/batches/${id}/events`, {
      headers: { ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
    }),
  );
const waitingBatch = async (name: string): Promise<string> => {
  const id = await drover.upload('lamp', [{ externalId: name, next: `${name}-next` }], { dependencyWaitTimeout: 600 });
  await drover.waiting(id);
  return id;
};
const act = (verb: string, id: string) => drover.request('POST', `/api/batches/${id}/${verb}`);

test('each change is an event with an id, the end of the batch is the last one, and then the stream ends', async () => {
  const id = await drover.upload(
    'lamp',
    Array.from({ length: 40 }, (_, n) => ({ externalId: `many-${n}` })),
  );
  const stream = await watch(id);
  expect(stream.response.status).toBe(200);
  expect(stream.response.headers.get('content-type')).toContain('text/event-stream');
  const events = await stream.rest();
  for (const [at, event] of events.entries()) {
    expect(event.id).not.toBe('');
    expect(event.id).not.toBe(events[at - 1]?.id);
  }
  const done = events.map(({ batch }) => batch.progress.processedRecords);
  expect(done).toEqual([...done].sort((a, b) => a - b));
  expect(events.at(-1)?.batch).toEqual(await finalView(id));
  expect(events.slice(0, -1).every(({ batch }) => batch.completedAt === undefined)).toBe(true);
});

async function finalView(id: string): Promise<BatchView> {
  const { body } = await drover.request<BatchView>('GET', `/api/batches/${id}`);
  expect(body.data).toMatchObject({ status: 'success', source: 'store' });
  return body.data;
}

test('a watcher gets at most 4 events a second, however fast the batch changes and whenever the watcher connects', async () => {
  const events = new BatchEvents(drover.services);
  const id = await drover.upload(
    'lamp',
    Array.from({ length: 100 }, (_, n) => ({ externalId: `fast-${n}` })),
  );
  const scope = { platform: 'default', tenant: 'default' };
  const eventTimes: number[][] = [];
  const watchUntilEnd = (): Promise<void> =>
    new Promise((resolve) => {
      const times: number[] = [];
      eventTimes.push(times);
      events.watch(scope, id, (event) => {
        times.push(performance.now());
        if (event !== 'over' && event.isLast) resolve();
        // a watcher that connects late first gets the present state
        if (eventTimes.length < 4) ended.push(watchUntilEnd());
      });
    });
  const ended: Promise<void>[] = [];
  await watchUntilEnd();
  await Promise.all(ended);
  expect(Math.max(...eventTimes.map((times) => times.length))).toBeGreaterThan(1);
  for (const times of eventTimes) {
    for (const [at, time] of times.entries())
      expect((times[at + 4] ?? Number.POSITIVE_INFINITY) - time).toBeGreaterThan(1_000);
  }
});

test('a watcher that reconnects with the last event id gets only later events', async () => {
  const id = await waitingBatch('back');
  const first = await watch(id);
  const known = await first.until(({ status }) => status === 'waiting');
  await first.close();
  const second = await watch(id, known.id);
  await act('suspend', id);
  const suspended = await second.next();
  expect(suspended?.batch).toMatchObject({ status: 'waiting', suspended: true });
  // the batch has returned to the state that the watcher had seen before: this is an event all the same
  await act('resume', id);
  expect((await second.next())?.batch.suspended).toBe(false);
  await act('cancel', id);
  const last = (await second.rest()).at(-1);
  expect(last?.batch.status).toBe('cancelled');
  expect((await (await watch(id, known.id)).rest()).map((event) => event.id)).toEqual([last?.id]);
  const { status } = await fetch(`${url}/api/batches/${id}/events`, { headers: { 'last-event-id': last?.id ?? '' } });
  expect(status).toBe(204);
});

test('comments are sent while there are no events', async () => {
  const id = await waitingBatch('silent');
  const app = createApp({ ...drover.services, events: new BatchEvents(drover.services, { commentEveryMs: 20 }) });
  const response = await app.request(`/api/batches/${id}/events`);
  let text = '';
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (text.includes('event: batch\n') && text.split(': still here\n\n').length > 3) break;
  }
  expect(drover.services.events.commentEveryMs).toBe(15_000);
});

test('500 watchers cost as much as one, and nothing once they have disconnected', async () => {
  const id = await waitingBatch('crowd');
  const events = new BatchEvents(drover.services);
  const app = createApp({ ...drover.services, events });
  const reads = vi.spyOn(events, 'read');
  const finds = vi.spyOn(batchesIn(drover.services.database), 'findOne');
  const started = performance.now();
  const queries = vi.spyOn(drover.services.client.workflow, 'getHandle');
  const streams = await Promise.all(
    Array.from({ length: 500 }, async () => new Stream(await app.request(`/api/batches/${id}/events`))),
  );
  expect(new Set(streams.map(({ response }) => response.status))).toEqual(new Set([200]));
  await Promise.all(streams.map((stream) => stream.next()));
  expect((await act('suspend', id)).status).toBe(200);
  const seen = await Promise.all(streams.map((stream) => stream.until((batch) => batch.suspended)));
  expect(new Set(seen.map((event) => event.id)).size).toBe(1);
  // one read at a time, at most four a second, however slow a busy machine is; suspending has read twice more
  expect(reads.mock.calls.length).toBeLessThanOrEqual((performance.now() - started) / 250 + 1);
  expect(queries.mock.calls.length).toBeLessThanOrEqual(reads.mock.calls.length + 2);
  expect(events.watched).toBe(1);
  queries.mockRestore();
  finds.mockRestore();
  await Promise.all(streams.map((stream) => stream.close()));
  await vi.waitFor(() => expect(events.watched).toBe(0), { timeout: 5_000 });
});

test('everything is freed when a watcher breaks its connection', async () => {
  const id = await waitingBatch('broken');
  const abort = new AbortController();
  const response = await fetch(`${url}/api/batches/${id}/events`, { signal: abort.signal });
  await response.body?.getReader().read();
  expect(drover.services.events.watched).toBe(1);
  abort.abort();
  await vi.waitFor(() => expect(drover.services.events.watched).toBe(0), { timeout: 5_000 });
});

test('a watcher that was disconnected in an outage leaves nothing behind, and later watchers get events', async () => {
  const id = await waitingBatch('outage');
  const events = new BatchEvents(drover.services);
  const app = createApp({
    ...drover.services,
    events,
    health: { isAnswering: async () => false } as unknown as Health,
  });
  let answer = (): void => undefined;
  const slow = new Promise<void>((resolve) => (answer = resolve));
  const find = events.find.bind(events);
  const finding = vi.spyOn(events, 'find').mockImplementation(async (...given) => {
    await slow;
    return find(...given);
  });
  expect((await app.request(`/api/batches/${id}/events`)).status).toBe(503);
  finding.mockRestore();
  answer();
  const next = new Stream(await app.request(`/api/batches/${id}/events`));
  expect((await next.next())?.batch.batchId).toBe(id);
  await next.close();
  await vi.waitFor(() => expect(events.watched).toBe(0), { timeout: 5_000 });
});

test('the watch of a batch that is deleted ends', async () => {
  const id = await waitingBatch('doomed');
  const stream = await watch(id);
  await stream.next();
  expect((await drover.request('DELETE', `/api/batches/${id}`)).status).toBe(200);
  expect((await stream.rest()).every((event) => event.batch.batchId === id)).toBe(true);
  expect((await fetch(`${url}/api/batches/${id}/events`)).status).toBe(404);
});
