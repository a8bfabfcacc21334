import { expect, test } from 'vitest';
import { type Batch, createDrover, DroverError } from '../src/index.ts';

const state = (status: Batch['status'], more: object = {}): Batch =>
  ({ batchId: 'b', status, counts: {}, ...more }) as Batch;
const answer = (batch: Batch): Response => Response.json({ success: true, message: '', data: batch });
const event = (id: string, batch: Batch): string => `event: batch\nid: ${id}\ndata: ${JSON.stringify(batch)}\n\n`;

/** A stream that sends its chunks, and then ends or breaks. */
function stream(chunks: readonly string[], breaks = false): Response {
  const left = [...chunks];
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const chunk = left.shift();
      if (chunk !== undefined) controller.enqueue(new TextEncoder().encode(chunk));
      else if (breaks) controller.error(new Error('connection lost'));
      else controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

/** A client whose service gives these streams and states. */
function served(streams: Response[], states: Batch[]) {
  const lastIds: (string | null)[] = [];
  const client = createDrover({
    url: 'http://drover.test',
    fetch: async (request) => {
      if (!request.url.endsWith('/events')) return answer(states.shift() ?? expect.unreachable('a state too many'));
      lastIds.push(request.headers.get('last-event-id'));
      return streams.shift() ?? expect.unreachable('a stream too many');
    },
  });
  return { client, lastIds };
}

test('events are read in whatever pieces they arrive', async () => {
  const text = `: still here\n\n${event('1', state('processing'))}${event('2', state('success', { schemaName: 'é' }))}`;
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const left = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
      bytes.slice(n * size, (n + 1) * size),
    );
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const piece = left.shift();
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
    });
    const { client } = served([new Response(body)], []);
    const seen: string[] = [];
    const batch = await client.batches.wait('b', { onChange: ({ status }) => seen.push(status) });
    expect([seen, batch.schemaName]).toEqual([['processing', 'success'], 'é']);
  }
});

test('a broken stream is opened again after the last event that was received', async () => {
  const { client, lastIds } = served(
    [stream([event('1', state('processing'))], true), stream([event('2', state('success'))])],
    [state('processing')],
  );
  expect((await client.batches.wait('b')).status).toBe('success');
  expect(lastIds).toEqual([null, '1']);
});

test('without events, the status is requested', async () => {
  const { client } = served([new Response(null, { status: 204 })], [state('failed')]);
  expect((await client.batches.wait('b')).status).toBe('failed');
});

test('a batch that has finished in another state ends the wait with an error', async () => {
  const { client } = served([stream([event('1', state('cancelled'))])], [state('cancelled')]);
  const wait = client.batches.wait('b', { until: ({ status }) => status === 'waiting' });
  await expect(wait).rejects.toThrow('batch b is cancelled, which is not the expected state');
  await expect(wait).rejects.toBeInstanceOf(DroverError);
});

test('a wait that is aborted throws the reason', async () => {
  const abort = new AbortController();
  const client = createDrover({
    url: 'http://drover.test',
    fetch: (request) =>
      new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason))),
  });
  const wait = client.batches.wait('b', { signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(wait).rejects.toThrow('enough');
});

test('the states of an import are those of its events, and those of its status where no events come through', async () => {
  const imported = (status: Batch['status']): string =>
    `event: import\nid: ${status}\ndata: ${JSON.stringify({ importId: 'i', status })}\n\n`;
  const streams = [stream([imported('queued'), event('other', state('failed'))]), stream([], true)];
  const paths: string[] = [];
  const client = createDrover({
    url: 'http://drover.test',
    fetch: async (request) => {
      paths.push(new URL(request.url).pathname);
      if (request.url.endsWith('/events')) return streams.shift() ?? expect.unreachable('a stream too many');
      return answer(state(paths.length < 3 ? 'processing' : 'success'));
    },
  });
  const seen: string[] = [];
  for await (const { status } of client.imports.events('i')) seen.push(status);
  expect(seen).toEqual(['queued', 'processing', 'success']);
  const [events, status] = ['/api/imports/i/events', '/api/imports/i'];
  expect(paths).toEqual([events, status, events, status]);
});
