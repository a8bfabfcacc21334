import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPEN } from '../../../domain/executions/process-instance-condition.ts';
import { and, equals } from '../../../domain/executions/visibility-condition.ts';
import { selectedAt } from '../../../services/executions/select-executions.ts';
import { Engine, eventually } from './engine/engine.ts';

/** Values that break queries into which they are inserted without escaping. */
const AWKWARD = [
  "o'neil",
  'say "hi"',
  'back\\slash',
  "it's 'so'",
  '100%',
  'under_score',
  "' OR WorkflowId != '",
  'Ümlaut 漢字',
  'tab\there',
];

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start();
  await Promise.all(AWKWARD.map((id) => engine.begin('sleeper', id)));
  await engine.begin('other', 'city-1', [], { City: ['Berlin'], Amount: [10], DroverTenant: ['t1'] });
  await engine.begin('other', 'city-2', [], { City: ['Bern'], Amount: [20] });
  await engine.begin('other', 'CITY-3', [], { City: ['berlin'], DroverTenant: ['t2'] });
  await engine.begin('parent', 'family', ['family-child']);
  await engine.seen('sleeper', AWKWARD.length + 1);
  await engine.seen('other', 3);
});
afterAll(() => engine.stop());

const idsOf = (body: unknown): string[] => (body as { id: string }[]).map(({ id }) => id).sort();
const select = async (query: object): Promise<string[]> =>
  idsOf((await engine.send('POST', '/process-instance', query)).body);

describe('a query', () => {
  const cases: [object, string[]][] = [
    [{ processDefinitionKey: 'other' }, ['CITY-3', 'city-1', 'city-2']],
    [{ businessKeyLike: 'city-%' }, ['city-1', 'city-2']],
    [{ variables: [{ name: 'City', operator: 'eq', value: 'Berlin' }] }, ['city-1']],
    [{ variables: [{ name: 'City', operator: 'like', value: 'Ber%' }] }, ['city-1', 'city-2']],
    [{ variables: [{ name: 'City', operator: 'neq', value: 'Bern' }] }, ['CITY-3', 'city-1']],
    [{ variables: [{ name: 'Amount', operator: 'gt', value: 10 }] }, ['city-2']],
    [{ variables: [{ name: 'Amount', operator: 'lteq', value: '20' }] }, ['city-1', 'city-2']],
    [{ tenantIdIn: ['t1', 't2'] }, ['CITY-3', 'city-1']],
    [{ processDefinitionKey: 'other', withoutTenantId: true }, ['city-2']],
    [{ processDefinitionKeyIn: ['parent', 'other'], processDefinitionKeyNotIn: ['other'] }, ['family']],
    [{ superProcessInstance: 'family' }, ['family-child']],
    [{ subProcessInstance: 'family-child' }, ['family']],
    [{ processDefinitionKey: 'parent', rootProcessInstances: true, active: true }, ['family']],
    [{ processDefinitionKeyIn: ['parent', 'other'], leafProcessInstances: true }, ['CITY-3', 'city-1', 'city-2']],
    [{ orQueries: [{ businessKey: 'city-1', superProcessInstance: 'family' }] }, ['city-1', 'family-child']],
    [{ processInstanceIds: ['family', 'nobody'] }, ['family']],
    [{ startedBefore: '2020-01-01T00:00:00.000+0000' }, []],
  ];
  test.each(cases)('%j', async (query, expected) => {
    expect(await select(query)).toEqual(expected);
    expect((await engine.send('POST', '/process-instance/count', query)).body).toEqual({ count: expected.length });
  });

  test.each(AWKWARD)('finds exactly the instance %j, by id, prefix and list', async (id) => {
    expect(await select({ businessKey: id })).toEqual([id]);
    expect(await select({ processInstanceIds: [id] })).toEqual([id]);
    expect(await select({ businessKeyLike: `${id.replace(/[\\%_]/g, '\\$&')}%` })).toEqual([id]);
    expect((await engine.send('GET', `/process-instance/${encodeURIComponent(id)}`)).body).toMatchObject({ id });
  });

  test('selects the same as parameters of a GET, in pages', async () => {
    const list = await engine.send(
      'GET',
      '/process-instance?processDefinitionKeyIn=other,parent&variables=City_like_B%25&maxResults=1&firstResult=1',
    );
    expect(list.body).toHaveLength(1);
    const count = await engine.send(
      'GET',
      '/process-instance/count?variables=Amount_gteq_10&sortBy=instanceId&sortOrder=asc',
    );
    expect(count.body).toEqual({ count: 2 });
  });

  test('by task queue and type', async () => {
    const { body } = await engine.send('GET', '/process-instance/city-1');
    const { definitionId } = body as { definitionId: string };
    expect(definitionId).toBe(`other:1:${engine.taskQueue}`);
    expect(await select({ processDefinitionId: definitionId, tenantIdIn: ['t1'] })).toEqual(['city-1']);
  });
});

test('a list of several pages has each instance that existed and still runs once, whatever starts, ends or continues meanwhile', async () => {
  for (let n = 0; n < 6; n++) await engine.begin('restless', `restless-${n}`);
  await engine.seen('restless', 6);
  const { workflow } = engine.client;
  const pages = selectedAt(engine.client, and(OPEN, equals('WorkflowType', 'restless')), new Date(), 2);
  const found: string[] = [];
  const next = async (): Promise<boolean> => {
    const { done, value } = await pages.next();
    found.push(...(value ?? []).map(({ workflowId }) => workflowId));
    return done ?? false;
  };
  await next();
  expect(found).toEqual(['restless-5', 'restless-4']);
  // later than the difference that clocks may have
  await sleep(1_100);
  await workflow.getHandle('restless-5').signal('goOnSignal');
  await workflow.getHandle('restless-0').signal('goOnSignal');
  await workflow.getHandle('restless-1').terminate();
  await engine.begin('restless', 'restless-late');
  const moved = `WorkflowType = 'restless' AND ExecutionStatus = 'ContinuedAsNew'`;
  await eventually(async () => (await workflow.count(moved)).count === 2, 'two chains that continued as new');
  await engine.seen('restless', 6);
  while (!(await next()));
  expect(found.sort()).toEqual(['restless-0', 'restless-2', 'restless-3', 'restless-4', 'restless-5']);
});

describe('a request that is refused', () => {
  const refused: [method: string, path: string, body: unknown, status: number, message: string][] = [
    ['POST', '/process-instance/delete', 'null', 400, 'the body is null: a JSON object is needed'],
    ['POST', '/process-instance/delete', '', 400, 'the body is empty: a JSON object is needed'],
    ['POST', '/process-instance/delete', '[]', 400, 'the body must be an object, not an array'],
    [
      'POST',
      '/process-instance/delete',
      '{"processInstanceIds":["a"]} x',
      400,
      'the body is not valid JSON: at position 29',
    ],
    [
      'POST',
      '/process-instance/delete',
      '{"processInstanceIds":[',
      400,
      'the body is not valid JSON: it ends too early, at position 23',
    ],
    [
      'POST',
      '/process-instance/delete',
      { processInstanceIds: [null] },
      400,
      'processInstanceIds[0] must be a process instance id, not null',
    ],
    [
      'POST',
      '/process-instance/delete',
      { processInstanceIds: ['a'], skipSubprocesses: null },
      400,
      'skipSubprocesses must be true or false, not null',
    ],
    [
      'POST',
      '/process-instance/delete',
      { processInstanceQuery: { bussinessKey: 'x' } },
      400,
      'processInstanceQuery.bussinessKey is not a filter of process instances',
    ],
    [
      'POST',
      '/process-instance/delete',
      { processInstanceQuery: { withIncident: true } },
      400,
      'processInstanceQuery.withIncident cannot be translated to a query on workflow executions',
    ],
    [
      'POST',
      '/process-instance/delete',
      { historicProcessInstanceQuery: {} },
      400,
      'historicProcessInstanceQuery cannot be translated to a query on running workflow executions',
    ],
    ['POST', '/process-instance/delete', { deleteReason: 'only' }, 400, 'processInstanceIds is empty'],
    [
      'POST',
      '/process-instance',
      { variables: [{ name: 'nope', operator: 'eq', value: 1 }] },
      400,
      'variables[0].name: nope is not a search attribute of this namespace',
    ],
    ['GET', '/process-instance?foo=1', undefined, 400, 'foo is not a filter of process instances'],
    [
      'GET',
      '/process-instance?active=maybe',
      undefined,
      400,
      "Cannot set query parameter 'active' to value 'maybe': Cannot convert value maybe to java type java.lang.Boolean",
    ],
    ['GET', '/process-instance?variables=a_foo_1', undefined, 400, 'Invalid variable comparator specified: foo'],
    ['GET', '/batch?sortBy=foo&sortOrder=asc', undefined, 400, "Cannot set query parameter 'sortBy' to value 'foo'"],
    [
      'GET',
      '/batch?suspended=perhaps',
      undefined,
      400,
      "Cannot set query parameter 'suspended' to value 'perhaps': Cannot convert value perhaps to java type java.lang.Boolean",
    ],
    ['PUT', '/batch/nope/suspended', '', 400, 'the body is empty: a JSON object is needed'],
    ['PUT', '/job-definition/nope/retries', { retries: 1 }, 404, 'Job Definition with id nope does not exist'],
    ['PUT', '/process-instance/delete', {}, 405, 'HTTP 405 Method Not Allowed'],
    ['DELETE', '/history/batch/nope', undefined, 400, "Unable to delete historic batch with id 'nope'"],
    ['GET', '/history/process-instance/nope', undefined, 404, 'Historic process instance with id nope does not exist'],
    ['GET', '/task', undefined, 404, 'HTTP 404 Not Found'],
  ];
  test.each(refused)('%s %s %j', async (method, path, body, status, message) => {
    const answer = await engine.send(method, path, body);
    expect(answer).toMatchObject({ status, contentType: 'application/json', body: { message } });
    expect(Object.keys(answer.body as object)).toEqual(['type', 'message', 'code']);
  });

  test('because of its Accept header', async () => {
    const { status, body } = await engine.send('GET', '/engine', undefined, { accept: 'text/html' });
    expect({ status, body }).toEqual({
      status: 406,
      body: { type: 'NotAcceptableException', message: 'HTTP 406 Not Acceptable', code: null },
    });
  });
});

test('fields that the engine does not know are ignored, as in the engine', async () => {
  const answer = await engine.send('POST', '/process-instance/delete', {
    processInstanceIds: ['nobody'],
    foo: 1,
    skipIoMappings: true,
  });
  expect(answer.status).toBe(200);
  expect((await engine.send('GET', '/batch?foo=1')).status).toBe(200);
});
