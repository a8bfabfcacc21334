import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  MAX_FACADE_CONDITIONS,
  MAX_FACADE_FIRST_RESULT,
  MAX_FACADE_IDS,
  MAX_FACADE_LOOKUPS,
  MAX_FACADE_OR_QUERIES,
  MAX_FACADE_READINGS,
  MAX_FACADE_REASON,
  MAX_FACADE_SORTINGS,
  MAX_FACADE_TEXT,
  MAX_FACADE_VALUES,
  MAX_VISIBILITY_QUERY,
} from '../../../domain/limits.ts';
import { Engine } from './engine/engine.ts';

/** Longest answer to a query at its bounds, in ms: a process that is busy for long answers no other caller. */
const SOON_MS = 5_000;

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start();
  await engine.begin('other', 'one');
  await engine.seen('other', 1);
});
afterAll(() => engine.stop());

const many = <T>(length: number, of: (n: number) => T): T[] => Array.from({ length }, (_, n) => of(n));
const counted = async (query: object): Promise<{ status: number; body: unknown }> => {
  const since = performance.now();
  const { status, body } = await engine.send('POST', '/process-instance/count', query);
  expect(performance.now() - since).toBeLessThan(SOON_MS);
  return { status, body };
};
const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/** The conditions of every query, in addition to its own. */
const OWN_CONDITIONS = 2;

test.each<[string, object, number]>([
  ['text', { businessKey: 'x'.repeat(MAX_FACADE_TEXT) }, 0],
  ['readings', { processDefinitionId: ':1:'.repeat(MAX_FACADE_READINGS) }, 0],
  ['values', { processInstanceIds: ['one', ...many(MAX_FACADE_VALUES - 1, (n) => `${n}`.padStart(36, '0'))] }, 1],
  ['orQueries', { orQueries: many(MAX_FACADE_OR_QUERIES, () => ({ businessKey: 'one' })) }, 1],
  [
    'conditions',
    {
      orQueries: many(MAX_FACADE_OR_QUERIES - 2, () => ({
        businessKey: 'one',
        processDefinitionKey: 'none',
        superProcessInstance: 'none',
        rootProcessInstances: true,
      })),
    },
    1,
  ],
  ['look-ups', { orQueries: many(MAX_FACADE_LOOKUPS, (n) => ({ subProcessInstance: `none-${n}` })) }, 0],
  ['sortings', { sorting: many(MAX_FACADE_SORTINGS, () => ({ sortBy: 'instanceId', sortOrder: 'asc' })) }, 1],
])('a query with as many %s as can be is answered', async (_, query, count) => {
  expect(await counted(query)).toEqual({ status: 200, body: { count } });
});

test.each<[string, object]>([
  ['text', { businessKey: 'x'.repeat(MAX_FACADE_TEXT + 1) }],
  ['pattern', { businessKeyLike: `${'x'.repeat(MAX_FACADE_TEXT)}%` }],
  ['definition id of 120 kB', { processDefinitionId: ':1:'.repeat(40_000) }],
  ['readings of one id', { processDefinitionId: ':1:'.repeat(MAX_FACADE_READINGS + 1) }],
  ['readings of many ids', { orQueries: many(MAX_FACADE_READINGS + 1, () => ({ processDefinitionId: 'a:1:b' })) }],
  ['values of one list', { processDefinitionKeyIn: many(MAX_FACADE_VALUES + 1, String) }],
  ['values of many lists', { orQueries: many(3, () => ({ processInstanceIds: many(MAX_FACADE_VALUES / 2, String) })) }],
  ['orQueries', { orQueries: many(200_000, () => ({ businessKey: 'one' })) }],
  ['variables', { variables: many(200_000, () => ({ name: 'City', operator: 'eq', value: 'a' })) }],
  ['value of a variable', { variables: [{ name: 'City', operator: 'eq', value: 'x'.repeat(MAX_FACADE_TEXT + 1) }] }],
  ['conditions', { variables: many(MAX_FACADE_CONDITIONS, () => ({ name: 'City', operator: 'eq', value: 'a' })) }],
  ['look-ups', { orQueries: many(MAX_FACADE_LOOKUPS + 1, (n) => ({ subProcessInstance: `none-${n}` })) }],
  ['sortings', { sorting: many(MAX_FACADE_SORTINGS + 1, () => ({ sortBy: 'instanceId', sortOrder: 'asc' })) }],
  ['length', { processDefinitionKeyIn: many(MAX_VISIBILITY_QUERY / 2_000, (n) => `${n}`.padStart(2_000, 'x')) }],
])('a query with more %s than that is a 400', async (_, query) => {
  expect(await counted(query)).toMatchObject({ status: 400, body: { type: 'InvalidRequestException' } });
});

test('a query with the largest number of conditions is accepted, one more is refused', async () => {
  const variables = (length: number) => ({
    variables: many(length, () => ({ name: 'Amount', operator: 'gt', value: 1 })),
  });
  expect(await counted(variables(MAX_FACADE_CONDITIONS - OWN_CONDITIONS))).toMatchObject({ status: 200 });
  expect(await counted(variables(MAX_FACADE_CONDITIONS - OWN_CONDITIONS + 1))).toMatchObject({ status: 400 });
});

test.each<[string, string]>([
  ['sortBy', `{"sorting":[{"sortBy":${deep(50_000)},"sortOrder":"asc"}]}`],
  ['an operator', `{"variables":[{"name":"City","operator":${deep(50_000)},"value":1}]}`],
  ['an unknown filter', `{"${'x'.repeat(100_000)}":1}`],
])('what a refusal repeats of %s is bounded', async (_, body) => {
  const response = await engine.drover.app.request('/engine-rest/process-instance/count', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(response.status).toBe(400);
  expect((await response.text()).length).toBeLessThan(2_000);
});

test.each<[string, object]>([
  ['ids', { processInstanceIds: many(MAX_FACADE_IDS + 1, () => '1') }],
  ['length of an id', { processInstanceIds: ['x'.repeat(MAX_FACADE_TEXT + 1)] }],
  ['length of the reason', { processInstanceIds: ['a'], deleteReason: 'x'.repeat(MAX_FACADE_REASON + 1) }],
  ['values of its query', { processInstanceQuery: { tenantIdIn: many(MAX_FACADE_VALUES + 1, String) } }],
])('a deletion with more than the bound of %s is a 400', async (_, body) => {
  expect(await engine.send('POST', '/process-instance/delete', body)).toMatchObject({
    status: 400,
    body: { type: 'InvalidRequestException' },
  });
});

test('paging is bounded: a first result above a million is a 400, a number that is no integer for the engine is a 404 as in the engine', async () => {
  for (const path of ['/process-instance', '/batch', '/history/batch']) {
    const first = (n: number) => engine.send('GET', `${path}?firstResult=${n}`);
    expect(await first(MAX_FACADE_FIRST_RESULT)).toMatchObject({ status: 200, body: [] });
    expect(await first(MAX_FACADE_FIRST_RESULT + 1)).toMatchObject({ status: 400 });
    expect(await first(2_147_483_648)).toMatchObject({ status: 404, body: { type: 'QueryParamException' } });
  }
});
