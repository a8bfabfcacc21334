import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { batchesIn } from '../../store/batches/batches.ts';
import { Drover } from '../harness/drover.ts';
import { createNamespace } from './camunda/engine/namespace.ts';
import { everyRoute, type Route } from './every-route.ts';
import { hostileJson, hostileText, nearlyResource, nearlySchema } from './hostile.ts';

const REQUESTS = process.env.CI === 'true' ? 5_000 : 600;
/** No request takes longer, in ms. */
const LIMIT_MS = 2_000;
/** Ids of each kind that are remembered. */
const KEPT = 20;

let drover: Drover;
let routes: Route[];
/** Existing ids, for path parameters that are nearly right. */
const known: Record<string, string[]> = {
  batchId: [],
  instanceId: ['nobody'],
  externalId: ['a', 'b', 'c'],
  schemaDefinitionNameOrId: ['thing'],
  // the type of most resources is kept
  nameOrId: ['spare'],
};

beforeAll(async () => {
  // the time limit is meant for these requests, not for what other files have left running
  const namespace = await createNamespace(inject('temporalAddress'));
  drover = await Drover.start({ environment: { TEMPORAL_NAMESPACE: namespace } });
  routes = [
    ...(await everyRoute(drover.app)),
    { method: 'GET', path: '/{unknown}' },
    { method: 'POST', path: '/engine-rest/{unknown}' },
    { method: 'TRACE', path: '/api/batches' },
  ];
  await define('thing');
  await define('spare');
  await drover.ended(
    await drover.upload('thing', [
      { externalId: 'a' },
      { externalId: 'b', parent: 'a' },
      { externalId: 'c', tags: ['a', 'b'] },
    ]),
  );
});
afterAll(() => drover.stop());

const define = (name: string): Promise<string> =>
  drover.define(name, {
    name: { type: 'string' },
    parent: { $ref: 'reach:schemas/thing' },
    tags: { type: 'array', items: { $ref: 'reach:schemas/thing' } },
    code: { type: 'string', pattern: '^(a+)+$' },
  });

interface Shot {
  readonly route: Route;
  /** Between 0 and 1 for each parameter: which known value, or a hostile one. */
  readonly picks: readonly { readonly at: number; readonly hostile: string | null }[];
  readonly query: readonly (readonly [string, string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

const QUERY_NAMES = [
  'cursor',
  'limit',
  'status',
  'batchType',
  'schema',
  'sortBy',
  'sortOrder',
  'includePendingDetails',
  'onconflict',
  'ignoreUnknownFields',
  'dependencyWaitTimeout',
  'firstResult',
  'maxResults',
  'variables',
  'processInstanceIds',
  'businessKey',
  'businessKeyLike',
  'active',
  'suspended',
  'startedBefore',
  'batchId',
  'type',
  'tenantIdIn',
  'cascade',
  'processDefinitionKey',
  'variableNamesIgnoreCase',
  'completed',
  '__proto__',
  'constructor',
];
const queryValue = fc.oneof(
  hostileText,
  fc.constantFrom(
    'true',
    'false',
    '10',
    'success',
    'name_eq_1',
    'a_like_%',
    '2026-11-24T11:05:17.013+0000',
    '-createdAt',
  ),
);
/** The characters that a header can hold. */
const headerText = hostileText.map((text) => text.replace(/[^\x20-\x7e\xa0-\xff]/g, '').trim());

const shot = (): fc.Arbitrary<Shot> =>
  fc.constantFrom(...routes, ...startsSomething(), ...startsSomething(), ...startsSomething()).chain((route) =>
    fc.record({
      route: fc.constant(route),
      picks: fc.array(fc.record({ at: fc.double({ min: 0, max: 0.999, noNaN: true }), hostile: seldom(hostileText) }), {
        minLength: 2,
        maxLength: 2,
      }),
      query: queryFor(route),
      headers: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: hostileHeaders }),
      body: fc.oneof(
        { weight: route.hasBody === false ? 1 : 8, arbitrary: text(bodyFor(route)) },
        { weight: 1, arbitrary: text(hostileJson) },
        { weight: route.hasBody === false ? 8 : 1, arbitrary: fc.constant(null) },
      ),
    }),
  );

/** Mostly the parameters of a route, each once: otherwise the request is refused before most of it is checked. */
function queryFor({ query }: Route): fc.Arbitrary<Shot['query']> {
  const any = fc.array(fc.tuple(fc.oneof(fc.constantFrom(...QUERY_NAMES), hostileText), queryValue), { maxLength: 3 });
  if (query === undefined) return fc.oneof(fc.constant([]), any);
  const own = fc
    .subarray([...query])
    .chain((names) => fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), queryValue))));
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 4, arbitrary: own },
    { weight: 1, arbitrary: any },
  );
}

/** Routes that process their bodies most deeply are called more often. */
const startsSomething = (): Route[] =>
  routes.filter(({ method, path }) => method !== 'GET' && /\/(batch|delete)$|^\/partner\//.test(path));

const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

const hostileHeaders = fc.dictionary(
  fc.constantFrom(
    'accept',
    'content-type',
    'idempotency-key',
    'reach-tenant-id',
    'last-event-id',
    'x-forwarded-for',
    'content-encoding',
    'authorization',
    'cookie',
  ),
  fc.oneof(
    headerText,
    fc.constantFrom('application/json', 'text/csv', 'application/x-ndjson', '*/*', 'gzip', 'identity'),
  ),
  { maxKeys: 2, noNullPrototype: true },
);

/** A body that is nearly right for a route. */
function bodyFor({ method, path }: Route): fc.Arbitrary<unknown> {
  if (path.startsWith('/partner/')) {
    const schema = nearlySchema.map((random) => ({ ...(random as object), type: 'object' }));
    return fc.record(
      {
        name: fc.oneof(
          { weight: 4, arbitrary: fc.stringMatching(/^[a-z]{3,5}$/) },
          { weight: 1, arbitrary: fc.oneof(fc.constantFrom('spare'), hostileText) },
        ),
        schema: fc.oneof(schema, nearlySchema),
      },
      { requiredKeys: method === 'PUT' ? ['schema'] : ['name', 'schema'] },
    );
  }
  if (path.startsWith('/api/v1/'))
    return fc.record({ classificationId: fc.oneof(fc.constant('thing'), hostileJson), batchId: hostileJson });
  if (path.startsWith('/engine-rest/')) {
    const query = fc.record(
      {
        businessKey: hostileJson,
        variables: fc.oneof(
          hostileJson,
          fc.array(
            fc.record({
              name: hostileText,
              operator: fc.oneof(fc.constantFrom('eq', 'like', 'gt'), hostileText),
              value: hostileJson,
            }),
          ),
        ),
        orQueries: hostileJson,
        processDefinitionKeyIn: hostileJson,
        businessKeyLike: hostileText,
        startedBefore: hostileText,
        sorting: hostileJson,
      },
      { requiredKeys: [] },
    );
    if (path.endsWith('/delete'))
      return fc.record(
        {
          processInstanceIds: fc.oneof(fc.array(hostileText, { minLength: 1 }), hostileJson),
          processInstanceQuery: fc.oneof(query, hostileJson),
          deleteReason: fc.oneof(hostileText, hostileJson),
          skipSubprocesses: hostileJson,
        },
        { requiredKeys: ['processInstanceIds'] },
      );
    return path.includes('/process-instance')
      ? query
      : fc.record({ suspended: hostileJson, retries: hostileJson }, { requiredKeys: [] });
  }
  if (method === 'DELETE') {
    return fc.oneof(
      fc.record({
        externalIds: fc.array(fc.oneof(fc.constantFrom('a', 'b', 'nobody'), hostileText), { minLength: 1 }),
        cascade: fc.boolean(),
        dryRun: fc.boolean(),
      }),
      fc.record({ deleteAll: fc.boolean(), dryRun: fc.oneof(fc.boolean(), hostileJson) }),
    );
  }
  return fc.record({ resources: fc.array(nearlyResource, { minLength: 1, maxLength: 5 }) });
}

/** JSON, sometimes cut off, or no JSON at all. */
const text = (json: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 20, arbitrary: json.map((value) => JSON.stringify(value) ?? '') },
    { weight: 1, arbitrary: json.map((value) => (JSON.stringify(value) ?? '').slice(0, -1)) },
    { weight: 1, arbitrary: hostileText },
  );

/** Percent-encodes bytes, whole characters or not, as a hostile client may send them. */
const encoded = (text: string): string =>
  [...Buffer.from(text, 'utf8')]
    .map((byte) =>
      /[\w%.-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`,
    )
    .join('');

function urlOf({ route, picks, query }: Shot): string {
  let next = 0;
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const { at, hostile } = picks[next++ % picks.length] ?? { at: 0, hostile: '' };
    const values = known[name] ?? [];
    return encoded(hostile ?? values[Math.floor(at * values.length)] ?? '');
  });
  return (
    path +
    (query.length === 0 ? '' : `?${query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&')}`)
  );
}

interface DeliveryState {
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

async function fire(it: Shot): Promise<DeliveryState> {
  const started = performance.now();
  const { method } = it.route;
  const response = await drover.app.request(urlOf(it), {
    method: method === 'TRACE' ? 'OPTIONS' : method,
    headers: { ...(it.body !== null && { 'content-type': 'application/json' }), ...it.headers },
    ...(it.body !== null && method !== 'GET' && { body: it.body }),
  });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (isStream) await response.body?.cancel();
  const text = isStream ? '' : await response.text();
  return { status: response.status, text, ms: performance.now() - started };
}

test(`${REQUESTS} hostile requests over every route: never a 500, never a stack trace, never slower than 2 s, and the service still serves`, async () => {
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(shot(), async (it) => {
      let answer = await fire(it);
      // if the machine is busy with something else, the request is not at fault
      for (let tries = 0; answer.ms > LIMIT_MS && tries < 2; tries++) answer = await fire(it);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const seen = `${it.route.method} ${urlOf(it)} -> ${answer.status} ${answer.text.slice(0, 300)}`;
      expect(answer.status, seen).toBeLessThan(500);
      expect(answer.text, seen).not.toMatch(
        /\bat \S+ \(.*:\d+:\d+\)|node_modules|\.ts:\d+|MongoServerError|MongoError/,
      );
      expect(answer.ms, seen).toBeLessThan(LIMIT_MS);
      remember(answer);
    }),
    { numRuns: REQUESTS, endOnFailure: true, ...(process.env.FUZZ_SEED && { seed: Number(process.env.FUZZ_SEED) }) },
  );
  console.log(
    `answers: ${[...statuses]
      .sort(([a], [b]) => a - b)
      .map(([status, n]) => `${n} × ${status}`)
      .join(', ')}`,
  );
  expect(statuses.get(202) ?? 0).toBeGreaterThan(0);
  await expectNothingBroken();
}, 600_000);

/** Later requests use the ids that earlier ones have created. */
function remember({ status, text }: DeliveryState): void {
  if (status !== 201 && status !== 202) return;
  const { batchId, name } = (JSON.parse(text) as { data: { batchId?: string; name?: string } }).data;
  if (batchId !== undefined) keep('batchId', batchId);
  if (name === undefined) return;
  keep('nameOrId', name);
  keep('schemaDefinitionNameOrId', name);
}

function keep(parameter: string, value: string): void {
  const values = known[parameter] ?? [];
  values.push(value);
  // the first value always works
  if (values.length > KEPT) values.splice(1, 1);
}

/** Accepted batches finish without a bug, and a valid request still succeeds. */
async function expectNothingBroken(): Promise<void> {
  const { database } = drover.services;
  for (const batch of await batchesIn(database).find({ suspended: true }).toArray()) {
    await drover.request('POST', `/api/batches/${batch._id}/resume`, { tenant: batch.tenant });
  }
  const unfinished = async (): Promise<number> =>
    batchesIn(database).countDocuments({ deletedAt: { $exists: false }, status: { $in: ['queued', 'processing'] } });
  await expect.poll(unfinished, { timeout: 60_000, interval: 200 }).toBe(0);
  const internal = await batchesIn(database)
    .find({ 'result.errorCodes.internal': { $gt: 0 } })
    .toArray();
  expect(internal.map(({ _id, operation, options }) => ({ _id, operation, options }))).toEqual([]);
  await define('afterwards');
  const id = await drover.upload('afterwards', [
    { externalId: 'x', code: 'aaaa' },
    { externalId: 'y', code: 'b' },
  ]);
  expect((await drover.ended(id)).counts).toMatchObject({ succeeded: 1, failed: 1 });
  expect((await drover.app.request('/healthz')).status).toBe(200);
}
