import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Drover } from '../../harness/drover.ts';

const HEADS = 200;

let drover: Drover;
let batchId: string;
beforeAll(async () => {
  drover = await Drover.start();
  await drover.define('Odd', {});
  batchId = await drover.upload('Odd', [
    { externalId: '=1+1' },
    { externalId: 'a;=1+1' },
    { externalId: 'b\n@SUM(1)' },
    { externalId: 'line\u2028and\u2029paragraph' },
    { externalId: 'c;d', unknown: 1 },
  ]);
  await drover.ended(batchId);
});
afterAll(() => drover.stop());

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test(`${HEADS} HEADs of each stream answer its headers and start no timer, watch or stream`, async () => {
  const started = vi.spyOn(Readable, 'from');
  const watch = vi.spyOn(drover.services.events, 'watch');
  const before = timers();
  for (const [path, accept] of [
    [`/api/batches/${batchId}/events`, 'text/event-stream'],
    [`/api/batches/${batchId}/items`, 'application/x-ndjson'],
    [`/api/batches/${batchId}/items`, 'text/csv'],
    ['/engine-rest/process-instance', 'application/json'],
  ] as const) {
    for (let n = 0; n < HEADS; n++) {
      const response = await drover.app.request(path, { method: 'HEAD', headers: { accept } });
      expect([response.status, response.body, response.headers.get('content-type')]).toEqual([
        200,
        null,
        expect.stringContaining(accept),
      ]);
    }
  }
  expect(started).not.toHaveBeenCalled();
  expect(watch).not.toHaveBeenCalled();
  expect(drover.services.events.watched).toBe(0);
  // some timers belong to other parts of the process, so a small difference is allowed
  expect(timers()).toBeLessThan(before + HEADS / 10);
  vi.restoreAllMocks();
});

const streamed = async (accept: string, query = ''): Promise<Response> =>
  drover.app.request(`/api/batches/${batchId}/items${query}`, { headers: { accept } });

test('CSV quotes every text, and none begins a formula, not even for a spreadsheet with other separators', async () => {
  const text = await (await streamed('text/csv')).text();
  expect(text.split('\n')[0]).toBe(
    '"index","externalId","status","action","attempts","errorCodes","errors","missingDependencies","missingTotal"',
  );
  expect(text).toContain(`0,"'=1+1","succeeded","created",1,,,,\n`);
  expect(text).toContain(`1,"a;'=1+1","succeeded"`);
  expect(text).toContain(`2,"b\n'@SUM(1)","succeeded"`);
  expect(text).toContain(`4,"c;d","failed",,1,"unknown_field","`);
  for (const separator of [',', ';', '\t', '\n'])
    for (const cell of text.split(separator)) expect(cell).not.toMatch(/^"?\s*[=+\-@]/);
});

test('NDJSON has one line for each item, also for readers that end lines at U+2028 and U+2029', async () => {
  const text = await (await streamed('application/x-ndjson')).text();
  const lines = text.trimEnd().split(/[\n\u2028\u2029]/);
  expect(lines.map((line) => JSON.parse(line).externalId)).toEqual([
    '=1+1',
    'a;=1+1',
    'b\n@SUM(1)',
    'line\u2028and\u2029paragraph',
    'c;d',
  ]);
});

test('cursor and limit with a stream are a 400: it has all items', async () => {
  const response = await streamed('text/csv', '?limit=5');
  expect([response.status, ((await response.json()) as { errors: string[] }).errors]).toEqual([
    400,
    [expect.stringMatching(/^limit: /)],
  ]);
});

test('a batch is started although its body took longer than a call to Temporal may take', async () => {
  const body = JSON.stringify({ resources: [{ externalId: 'slow' }] });
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const slow = new ReadableStream(
      {
        pull(controller) {
          vi.setSystemTime(Date.now() + 10_000);
          controller.enqueue(new TextEncoder().encode(body));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const response = await drover.app.request('/api/resources/Odd/batch', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: slow,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(202);
    const { data } = (await response.json()) as { data: { batchId: string } };
    // no recovery runs here: a batch that the request has not started is not started
    expect((await drover.ended(data.batchId)).status).toBe('success');
  } finally {
    vi.useRealTimers();
  }
});
