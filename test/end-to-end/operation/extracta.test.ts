import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningApi, startApi } from '../../../api/server.ts';
import { loadConfig } from '../../../process/config.ts';
import { Drover } from '../../harness/drover.ts';
import { executionsOf, tracesOf } from '../../harness/left-behind.ts';
import { signed, TOKEN_ENVIRONMENT } from '../../harness/tokens.ts';

let drover: Drover;
let api: RunningApi;
let token: string;
let classificationId: string;
beforeAll(async () => {
  drover = await Drover.start();
  api = await startApi(
    { ...drover.config, ...loadConfig(TOKEN_ENVIRONMENT), ...connection(drover), PORT: 0 },
    pino({ level: 'silent' }),
  );
  token = await signed({ platform: 'default', tenant: 'default', scope: 'tenant' });
  classificationId = await drover.define('invoice', { total: { type: 'number' } });
  await drover.define('receipt', {});
});
afterAll(async () => {
  await api.stop();
  await drover.stop();
});

const connection = ({ config: { MONGODB_URI, MONGODB_DATABASE, TEMPORAL_ADDRESS, TEMPORAL_TASK_QUEUE } }: Drover) => ({
  MONGODB_URI,
  MONGODB_DATABASE,
  TEMPORAL_ADDRESS,
  TEMPORAL_TASK_QUEUE,
});
const url = (): string => `${api.url}/api/v1/documentClassification/deleteBatch`;

let batches = 0;
async function finishedBatch(schema = 'invoice'): Promise<string> {
  batches += 1;
  const id = await drover.upload(schema, [{ externalId: `n${batches}` }]);
  await drover.ended(id);
  return id;
}

/** An example of Extracta's documentation, unchanged except for base URL, token and ids. */
function example(file: string, batchId: string): string {
  return readFileSync(new URL(`./extracta-examples/${file}`, import.meta.url), 'utf8')
    .replace('https://api.extracta.ai/api/v1', `${api.url}/api/v1`)
    .replace(/(["'])apiKey\1/, `$1${token}$1`)
    .replace(/(= )(["'])classificationId\2/, `$1$2${classificationId}$2`)
    .replace(/(= )(["'])batchId\2/, `$1$2${batchId}$2`);
}

/** Runs a program to its end, in this folder, with a text as its input. */
const run = (command: string, args: readonly string[], input: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { cwd: new URL('../../..', import.meta.url), timeout: 30_000 },
      (error, stdout, stderr) => (error ? reject(error) : resolve(stdout + stderr)),
    );
    child.stdin?.end(input);
  });

const isThere = (command: string, args: readonly string[]): boolean => spawnSync(command, args).status === 0;
const HAS_REQUESTS = isThere('python3', ['-c', 'import requests']);
const HAS_CURL = isThere('curl', ['--version']);
if (!HAS_REQUESTS) console.log("skipped: Extracta's Python example; python3 with requests is not installed");
if (!HAS_CURL) console.log('skipped: the request by curl, which is not installed');

describe("the examples of Extracta's documentation, with another base URL and token, delete a batch", () => {
  test('JavaScript, with axios', async () => {
    const id = await finishedBatch();
    expect(await run(process.execPath, ['-'], example('extracta-delete-batch.cjs', id))).toBe(
      "Batch Deleted: { status: 'success', message: 'Batch deleted' }\n",
    );
    expect(await tracesOf(drover, id)).toEqual([]);
    expect((await drover.request('GET', `/api/batches/${id}`)).status).toBe(404);
    expect(await run(process.execPath, ['-'], example('extracta-delete-batch.cjs', id))).toMatch(
      /^Failed to delete batch: \{\s+status: 'error'/,
    );
  });

  test.runIf(HAS_REQUESTS)('Python, with requests', async () => {
    const id = await finishedBatch();
    expect(await run('python3', ['-'], example('extracta-delete-batch.py', id))).toBe(
      "Batch Deleted: {'status': 'success', 'message': 'Batch deleted'}\n",
    );
    expect((await drover.request('GET', `/api/batches/${id}`)).status).toBe(404);
  });

  test.runIf(HAS_CURL)('curl', async () => {
    const id = await finishedBatch();
    const headers = ['-H', 'Content-Type: application/json', '-H', `Authorization: Bearer ${token}`];
    const args = ['-sS', '-w', ' %{http_code}', '-X', 'DELETE', url(), ...headers, '-d', '@-'];
    expect(await run('curl', args, JSON.stringify({ classificationId, batchId: id }))).toBe(
      '{"status":"success","message":"Batch deleted"} 200',
    );
    expect((await drover.request('GET', `/api/batches/${id}`)).status).toBe(404);
  });
});

describe("answers in Extracta's shape", () => {
  async function send(
    body: unknown,
    headers: Record<string, string> = { authorization: `Bearer ${token}` },
    base = url(),
  ) {
    const response = await fetch(base, {
      method: 'DELETE',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }
  const error = (status: number, message: unknown = expect.any(String)) => ({
    status,
    body: { status: 'error', message },
  });

  test('the classification is known by name, and a waiting batch is cancelled first', async () => {
    await drover.define('letter', { answers: { $ref: 'reach:schemas/letter' } });
    const id = await drover.upload('letter', [{ externalId: 'a', answers: 'never' }], { dependencyWaitTimeout: 600 });
    await drover.waiting(id);
    expect(await send({ classificationId: 'LETTER', batchId: id })).toEqual({
      status: 200,
      body: { status: 'success', message: 'Batch deleted' },
    });
    expect(await tracesOf(drover, id)).toEqual([]);
    await expect.poll(() => executionsOf(drover, id), { timeout: 10_000 }).toEqual([]);
  });

  test('400: a field is missing, wrong or unknown', async () => {
    const id = await finishedBatch();
    const other = await finishedBatch('receipt');
    expect(await send({})).toEqual(error(400, expect.stringMatching(/classificationId.*batchId/)));
    expect(await send({ classificationId })).toEqual(error(400, expect.stringMatching(/^batchId/)));
    expect(await send({ classificationId: 7, batchId: id })).toEqual(
      error(400, expect.stringMatching(/^classificationId/)),
    );
    expect(await send('{"classificationId"')).toEqual(error(400));
    expect(await send('[]')).toEqual(error(400));
    expect(await send('null')).toEqual(error(400));
    expect(await send({ classificationId: 'nothing', batchId: id })).toEqual(
      error(400, expect.stringContaining('classificationId')),
    );
    expect(await send({ classificationId, batchId: 'nothing' })).toEqual(
      error(400, expect.stringContaining('batchId')),
    );
    // a batch of another classification is not deleted
    expect(await send({ classificationId, batchId: other })).toEqual(error(400, expect.stringContaining('batchId')));
    expect((await drover.batch(other)).status).toBe('success');
  });

  test('401: no token or a wrong one; a batch of another tenant is not found', async () => {
    const id = await finishedBatch();
    const body = { classificationId, batchId: id };
    expect(await send(body, {})).toEqual(error(401));
    expect(await send(body, { authorization: 'Bearer apiKey' })).toEqual(error(401));
    const stranger = await signed({ platform: 'default', tenant: 'stranger', scope: 'tenant' });
    expect(await send(body, { authorization: `Bearer ${stranger}` })).toEqual(
      error(400, expect.stringContaining('batchId')),
    );
    expect((await drover.batch(id)).status).toBe('success');
  });

  test('500: a server is unavailable, and the answer does not say why', async () => {
    const broken = await startApi(
      {
        ...drover.config,
        ...loadConfig(),
        ...connection(drover),
        MONGODB_URI: 'mongodb://127.0.0.1:1/?directConnection=true',
        PORT: 0,
      },
      pino({ level: 'silent' }),
    );
    const base = `${broken.url}/api/v1/documentClassification/deleteBatch`;
    expect(await send({ classificationId, batchId: 'any' }, {}, base)).toEqual(error(500, 'Internal server error'));
    await broken.stop();
  });
});
