import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchesIn } from '../../../store/batches/batches.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Program } from '../../../testkit/program.ts';
import { recoveryWorkflowId } from '../../../workflows/messages.ts';
import { addressesOf, Drover } from '../../harness/drover.ts';

/** Two API processes and two worker processes, as operators start them, side by side on one database. */

let drover: Drover;
let apis: Program[];
let workers: Program[];
beforeAll(async () => {
  drover = await Drover.start({ worker: false });
  await drover.define('cart', { load: { type: 'number' } });
  const all = await Promise.all([
    npmRun('api', /^ready (http.+)$/),
    npmRun('api', /^ready (http.+)$/),
    npmRun('worker', /the worker is running/),
    npmRun('worker', /the worker is running/),
  ]);
  apis = all.slice(0, 2);
  workers = all.slice(2);
}, 120_000);
afterAll(async () => {
  for (const program of [...(apis ?? []), ...(workers ?? [])]) await program.kill();
  await drover.services.client.workflow.getHandle(recoveryWorkflowId(drover.services.taskQueue)).terminate();
  await drover.stop();
});

/** @param ready matches the line that the process prints when it is ready. */
const npmRun = (script: string, ready: RegExp): Promise<Program> =>
  Program.start({
    name: script,
    command: ['npm', 'run', '--silent', script],
    environment: { ...process.env, ...addressesOf(drover.config), PORT: '0', LOG_LEVEL: 'info', NODE_ENV: '' },
    ready,
  });

/** A request whose body is sent in two parts: it runs until the second one is sent. */
function slowRequest(url: string, body: string) {
  const half = Math.floor(body.length / 2);
  const sent = request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  });
  sent.write(body.slice(0, half));
  const answered = (async () => {
    const [response] = await once(sent, 'response');
    response.resume();
    return response.statusCode as number;
  })();
  return {
    begun: once(sent, 'socket').then(([socket]) => once(socket, 'connect')),
    finish: () => sent.end(body.slice(half)),
    answered,
  };
}

const resources = (prefix: string) => ({
  resources: Array.from({ length: 100 }, (_, n) => ({ externalId: `${prefix}-${n}`, load: n })),
});

/** Uploads as a client with a key does: until the answer is 202. */
async function upload(api: Program | undefined, prefix: string, key: string): Promise<string> {
  for (;;) {
    const response = await fetch(`${api?.ready}/api/resources/cart/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(resources(prefix)),
    });
    // on a busy machine a server may seem to be unavailable
    if (response.status === 503) continue;
    expect(response.status).toBe(202);
    const { data } = (await response.json()) as { data: { batchId: string } };
    return data.batchId;
  }
}

test('they share the work; a process that is asked to stop finishes what it has begun and exits with 0, and the others continue', async () => {
  // each batch is sent to both API processes at once, under one key
  const sent = await Promise.all(
    Array.from({ length: 10 }, (_, n) => Promise.all(apis.map((api) => upload(api, `c${n}`, `key-${n}`)))),
  );
  for (const [first, second] of sent) expect(second).toBe(first);
  const ids = sent.map(([id]) => id ?? '');

  const watched = await fetch(`${apis[0]?.ready}/api/batches/${ids[0]}/events`);
  const { begun, finish, answered } = slowRequest(
    `${apis[0]?.ready}/api/resources/cart/batch`,
    JSON.stringify(resources('slow')),
  );
  await begun;
  apis[0]?.signal('SIGTERM');
  workers[0]?.signal('SIGTERM');
  // the stream ends; its client reconnects, to the other process
  await watched.text();
  await expect
    .poll(() =>
      fetch(`${apis[0]?.ready}/healthz`).then(
        () => 'answered',
        () => 'refused',
      ),
    )
    .toBe('refused');
  finish();
  expect(await answered).toBe(202);
  expect(await apis[0]?.ended).toBe(0);
  expect(await workers[0]?.ended).toBe(0);

  ids.push(await upload(apis[1], 'after', 'key-after'));
  for (const id of ids) expect((await drover.ended(id)).counts.succeeded).toBe(100);
  expect(await batchesIn(drover.services.database).countDocuments({})).toBe(12);
  await expect.poll(() => resourcesIn(drover.services.database).countDocuments({})).toBe(1200);
  const versions = await resourcesIn(drover.services.database).distinct('version');
  expect(versions).toEqual([1]);

  apis[1]?.signal('SIGTERM');
  workers[1]?.signal('SIGTERM');
  expect(await Promise.all([apis[1]?.ended, workers[1]?.ended])).toEqual([0, 0]);
}, 90_000);
