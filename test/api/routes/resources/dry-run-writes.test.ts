import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { MAX_ANSWER_BYTES, MAX_EXTERNAL_ID } from '../../../../domain/limits.ts';
import { CommandRecorder } from '../../../store/mongodb/command-recorder.ts';
import { OwnApi } from '../../own-api.ts';

/** No worker runs here: a dry run needs none, nor Temporal. */
const recorder = new CommandRecorder();
let api: OwnApi;
let nodeId: string;
beforeAll(async () => {
  recorder.start();
  const uri = inject('mongodbUri');
  api = await OwnApi.open({ MONGODB_URI: `${uri}${uri.includes('?') ? '&' : '?'}monitorCommands=true` });
  nodeId = await api.define(
    'node',
    { name: { type: 'string' }, n: { type: 'integer' }, to: { type: 'array', items: { $ref: 'reach:schemas/node' } } },
    { required: ['name'] },
  );
  await api.store('node', [{ externalId: 'there', name: 'x' }]);
});
afterAll(async () => {
  recorder.stop();
  await api.close();
});

const PATH = '/api/resources/node/batch';
const run = async (method: 'POST' | 'PATCH', resources: readonly object[], query = '') =>
  api.send(method, `${PATH}?dryRun=true${query}`, { resources });

describe('the dry run of an upload', () => {
  test('tells the outcome of each item: cycles, merges of several items for one resource, what fails and what waits', async () => {
    const resources = [
      { externalId: 'a', name: 'a', to: ['b'] },
      { externalId: 'b', name: 'b', to: ['a'] },
      { externalId: 'there', n: 1 },
      { externalId: 'there', n: 1 },
      { externalId: 'there', n: null },
      { externalId: 'c', name: 'c', to: ['missing'] },
      { externalId: 'd', name: 'd', to: ['c'] },
      { externalId: 'e', name: 7 },
      { name: 'no id' },
    ];
    const { status, body } = await run('POST', resources);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      dryRun: true,
      schemaDefinitionId: nodeId,
      counts: { queued: 0, pending: 0, succeeded: 5, failed: 4 },
      actions: { created: 2, updated: 2, unchanged: 1 },
    });
    const of = ({ action, status, errors }: { action?: string; status: string; errors?: { code: string }[] }) =>
      action ?? errors?.map(({ code }) => code).join(' ') ?? status;
    expect(body.data.items.map(of)).toEqual(
      'created created updated unchanged updated missing_dependency missing_dependency validation missing_external_id'.split(
        ' ',
      ),
    );
    const waiting = (await run('POST', resources, '&dependencyWaitTimeout=60')).body.data;
    expect(waiting.counts).toMatchObject({ pending: 2, failed: 2 });
    expect(waiting.items[5]).toEqual({
      index: 5,
      externalId: 'c',
      status: 'pending',
      missingDependencies: [{ schemaDefinitionId: nodeId, schemaName: 'node', externalId: 'missing' }],
      missingTotal: 1,
    });
    expect(
      (await run('POST', [{ externalId: 'there', name: 'y' }], '&onconflict=reject')).body.data.items,
    ).toMatchObject([{ status: 'failed', errors: [{ code: 'conflict' }] }]);
    expect((await run('PATCH', [{ externalId: 'a', n: 1 }])).body.data.items).toMatchObject([
      { status: 'failed', errors: [{ code: 'not_found' }] },
    ]);
  });

  test('of 1000 items takes less than a second, and stores nothing: every command only reads, and there are few', async () => {
    const resources = Array.from({ length: 1000 }, (_, n) => ({
      externalId: `n${n}`,
      name: `node ${n}`,
      n,
      to: [`n${(n * 7) % 1000}`, 'there'],
    }));
    const times: number[] = [];
    // other tests may run at the same time: one of a few is as fast as it is alone
    while (times.length < 5 && !times.some((ms) => ms < 1_000)) {
      recorder.commands.clear();
      const began = performance.now();
      expect((await run('POST', resources)).body.data.actions).toMatchObject({ created: 1000 });
      times.push(performance.now() - began);
    }
    expect(Math.min(...times)).toBeLessThan(1_000);
    const commands = Object.fromEntries(recorder.commands);
    expect(Object.keys(commands)).toEqual(['find']);
    // the definition, and of each of the chunks its resources and targets
    expect(commands.find).toBeLessThanOrEqual(16);
    expect((await api.send('GET', '/api/resources/node')).body.data.pagination.total).toBe(1);
    expect((await api.send('GET', '/api/batches')).body.data.pagination.total).toBe(0);
  });

  test('has every item in an answer of bounded size, however long errors and missing references are', async () => {
    const long = (n: number) => `${n}${'\u0001'.repeat(MAX_EXTERNAL_ID - 8)}`;
    const resources = Array.from({ length: 700 }, (_, n) => ({
      externalId: long(n),
      name: 'x',
      to: Array.from({ length: 12 }, (_, at) => long(10_000 + 12 * n + at)),
    }));
    const response = await api.app.request(`${PATH}?dryRun=true`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ resources }),
    });
    const text = await response.text();
    expect(Buffer.byteLength(text)).toBeLessThan(MAX_ANSWER_BYTES);
    const { items, counts } = JSON.parse(text).data;
    expect(counts.failed).toBe(700);
    expect(items).toHaveLength(700);
    expect(items[0]).not.toHaveProperty('isShortened');
    expect(items[0].missingDependencies).toHaveLength(12);
    expect(items.at(-1)).toMatchObject({
      isShortened: true,
      errors: [{ code: 'missing_dependency' }],
      missingTotal: 12,
    });
  });
});

test('costly schemas are validated in the validation thread, by the verdict of the real run', async () => {
  await api.define('costly', {
    text: { type: 'string', pattern: '^(a|a|b)*c?$' },
    list: { type: 'array', uniqueItems: true },
  });
  const list = Array.from({ length: 3_000 }, (_, n) => ({ n, deep: [[n]] }));
  const { status, body } = await api.send('POST', '/api/resources/costly/batch?dryRun=true', {
    resources: [
      { externalId: 'one', list },
      { externalId: 'two', list: [...list, list[0]] },
    ],
  });
  expect(status).toBe(200);
  expect(body.data.items).toMatchObject([{ action: 'created' }, { errors: [{ code: 'validation' }] }]);
});
