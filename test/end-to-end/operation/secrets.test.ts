import { MongoBulkWriteError, MongoServerError } from 'mongodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '../../../process/logging.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { bearer, signed, TOKEN_ENVIRONMENT } from '../../harness/tokens.ts';

/** A text in every body and header that is sent: it must not appear anywhere else. */
const SECRET = 'planted9c1f';
const SIGNING_SECRET = `${SECRET}-signing-secret-that-is-long-enough`;

let drover: Drover;
let token: string;
const lines: string[] = [];
/** Error answers, as text. */
const refusals: string[] = [];

beforeAll(async () => {
  const logger = createLogger({ LOG_LEVEL: 'trace' }, {}, { write: (line) => void lines.push(line) });
  drover = await Drover.start({ logger, environment: { ...TOKEN_ENVIRONMENT, JWT_SECRET: SIGNING_SECRET } });
  token = await signed({ platform: 'p', tenant: 't', scope: 'platform' }, { secret: SIGNING_SECRET });
  const schema = {
    type: 'object',
    properties: { note: { type: 'string', maxLength: 100 }, parent: { $ref: 'reach:schemas/thing' } },
  };
  await send('POST', '/partner/schema-definitions', { name: 'thing', description: SECRET, schema });
});
afterAll(() => drover.stop());

async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const response = await drover.app.request(path, {
    method,
    headers: { ...bearer(token), 'content-type': 'application/json', cookie: SECRET, 'x-anything': SECRET, ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  if (response.status >= 400) refusals.push(`${method} ${path} ${response.status} ${text}`);
  return { status: response.status, text };
}

async function upload(resources: readonly object[], query = ''): Promise<string> {
  const { status, text } = await send(
    'POST',
    `/api/resources/thing/batch${query}`,
    { resources },
    { 'idempotency-key': `${SECRET}-${Math.random()}` },
  );
  expect(status).toBe(202);
  return JSON.parse(text).data.batchId;
}

const ended = (id: string) => drover.ended(id, { headers: bearer(token) });

/** All text of a batch's workflow: history, memo, search attributes, and the details that the UI shows. */
async function everythingInTemporal(batchId: string): Promise<string> {
  const texts: string[] = [];
  const visit = (value: unknown): void => {
    if (value instanceof Uint8Array) texts.push(Buffer.from(value).toString('utf8'));
    else if (typeof value === 'string') texts.push(value);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit);
  };
  const handle = drover.services.client.workflow.getHandle(batchWorkflowId(batchId));
  visit(await handle.fetchHistory());
  const description = await handle.describe();
  visit(description.raw);
  expect(description.memo).toEqual({ run: 1, activityTimeoutSeconds: 5 });
  visit(
    await drover.services.client.workflowService.describeWorkflowExecution({
      namespace: 'default',
      execution: { workflowId: batchWorkflowId(batchId) },
    }),
  );
  return texts.join('\n');
}

test('Temporal holds only names and numbers of a batch with every kind of outcome', async () => {
  const resources = [
    { externalId: 'fine', note: SECRET },
    { externalId: 'long', note: SECRET.repeat(20) },
    { externalId: 'wrong', note: { [SECRET]: SECRET } },
    { externalId: 'dangling', note: SECRET, parent: 'nobody' },
    { externalId: 7, note: SECRET },
    { note: SECRET },
  ];
  const id = await upload(resources);
  expect((await ended(id)).counts).toMatchObject({ succeeded: 1, failed: 5 });
  const waiting = await upload([{ externalId: 'waits', note: SECRET, parent: 'later' }], '?dependencyWaitTimeout=60');
  await drover.until(waiting, (batch) => batch.status === 'waiting', { headers: bearer(token) });
  await ended(await upload([{ externalId: 'later', note: SECRET }]));
  await ended(waiting);
  for (const batchId of [id, waiting]) {
    const text = await everythingInTemporal(batchId);
    expect(text).toContain('batchWorkflow');
    expect(text).not.toContain(SECRET);
  }
});

test('after a failure of MongoDB, or a bug, neither the log nor the history contains the data', async () => {
  const failures = [
    Object.assign(new MongoServerError({ message: 'not primary', code: 10_107 }), {
      command: { documents: [{ data: SECRET }] },
    }),
    new MongoBulkWriteError({ message: 'bulk write failed', code: 91, writeErrors: [] }, {
      insertedIds: [SECRET],
      getWriteConcernError: () => undefined,
    } as never),
    Object.assign(new TypeError('nothing is defined'), { data: { note: SECRET } }),
  ];
  drover.atCheckpoint(async (at) => {
    const failure = at === 'checked' ? failures.shift() : undefined;
    if (failure !== undefined) throw failure;
  });
  const id = await upload([{ externalId: 'unlucky', note: SECRET }]);
  const batch = await ended(id);
  expect(batch.errors?.summary).toEqual({ internal: 1 });
  expect(await everythingInTemporal(id)).not.toContain(SECRET);
  expect(lines.join('')).toContain('nothing is defined');
});

test('a refused value is not repeated in the answer', async () => {
  await send('POST', '/api/resources/thing/batch', `{"resources":[{"note":"${SECRET}"`);
  await send('POST', '/api/resources/thing/batch', `${SECRET}`);
  await send('POST', '/api/resources/thing/batch', { resources: [SECRET, 7] });
  await send('POST', '/api/resources/thing/batch', { resources: SECRET });
  await send('DELETE', '/api/resources/thing/batch', { externalIds: [{ a: SECRET }], cascade: SECRET });
  await send('POST', '/partner/schema-definitions', {
    name: 'x y',
    description: [SECRET],
    schema: { type: SECRET, properties: { a: { pattern: 7 } } },
  });
  await send('POST', '/engine-rest/process-instance', `{"businessKey":"${SECRET}`);
  await send('GET', '/api/batches', undefined, bearer(`${SECRET}.${SECRET}.${SECRET}`));
  await send(
    'GET',
    '/api/batches',
    undefined,
    bearer(
      await signed(
        { platform: SECRET, tenant: SECRET, scope: 'tenant' },
        { secret: 'another secret, long enough too' },
      ),
    ),
  );
  await send('GET', '/api/batches', undefined, { authorization: `Basic ${SECRET}` });
  expect(refusals.length).toBeGreaterThanOrEqual(10);
  for (const refusal of refusals) expect(refusal).not.toContain(SECRET);
});

test('no log line holds a body, a token, a key or a header', async () => {
  expect(lines.length).toBeGreaterThan(20);
  const [, payload = ''] = token.split('.');
  for (const line of lines) {
    expect(line).not.toContain(SECRET);
    expect(line).not.toContain(payload);
  }
});
