import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject, ResourceKey } from '../../../domain/write/resource.ts';
import { fenceStored } from '../../../isolation/attempts/fences.ts';
import { groupsIn } from '../../../isolation/groups/groups.ts';
import { layIntent, withdrawIntent } from '../../../isolation/intents/intents.ts';
import { replaceReferences } from '../../../isolation/resources/write-resources.ts';
import {
  changeSchemaDefinition,
  deleteSchemaDefinition,
  finishSchemaChanges,
} from '../../../services/definitions/change-schema-definition.ts';
import { type BatchDocument, batchesIn } from '../../../store/batches/batches.ts';
import { beginChange, commitChange, markReferencesForRepair } from '../../../store/definitions/schema-changes.ts';
import {
  currentSchemaVersion,
  readSchemaDefinition,
  schemaDefinitionsIn,
} from '../../../store/definitions/schema-definitions.ts';
import type { Database } from '../../../store/mongodb/database.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { withCollection } from '../../../testkit/replaced-collection.ts';
import { OwnApi } from '../../api/own-api.ts';

let api: OwnApi;
let database: Database;
beforeAll(async () => {
  api = await OwnApi.open();
  database = api.services.database;
});
afterAll(() => api.close());

const object = (properties: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  type: 'object',
  properties,
  ...more,
});

/** Definitions `{name}-land` with one resource X, and `{name}` with one resource that names X, in a field that is not a reference yet. */
async function landAndTown(name: string) {
  await api.define(`${name}-land`);
  const id = await api.define(name, { land: {} });
  const [land] = await api.store(`${name}-land`, [{ externalId: 'X' }]);
  const [town] = await api.store(name, [{ externalId: 'a', land: 'X' }]);
  const keys = { land: land?._id ?? '', town: town?._id ?? '' };
  return { id, ...keys, next: { schema: object({ land: { $ref: `reach:schemas/${name}-land` } }) } };
}

const referencesOf = async (key: ResourceKey) => (await resourcesIn(database).findOne({ _id: key }))?.references;

async function layWriter(schemaDefinitionId: string): Promise<string> {
  const batchId = randomUUID();
  await batchesIn(database).insertOne({ _id: batchId, status: 'processing' } as BatchDocument);
  await layIntent(database, { id: batchId, batchId, schemaDefinitionIds: [schemaDefinitionId], targets: [] });
  return batchId;
}

/** The same database, where `before` runs before the first call of `method` on a collection that `when` accepts. */
function interrupted(
  collection: 'resources' | 'schema_definitions',
  method: string,
  when: (args: readonly unknown[]) => boolean,
  before: () => Promise<unknown>,
): Database {
  let done = false;
  const watched = new Proxy(database.collection(collection), {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== method) return value.bind(target);
      return async (...args: unknown[]) => {
        if (!done && when(args)) {
          done = true;
          await before();
        }
        return value.apply(target, args);
      };
    },
  });
  return withCollection(database, collection, watched);
}

describe('a change of a schema definition', () => {
  it('waits for writers at work, and blocks new ones', async () => {
    const id = await api.define('drained');
    const writer = await layWriter(id);
    let done = false;
    const changing = changeSchemaDefinition(
      database,
      id,
      { schema: object({ a: {} }) },
      api.services.schemas.threads,
    ).finally(() => {
      done = true;
    });
    await sleep(300);
    expect(done).toBe(false);
    expect(await currentSchemaVersion(database, id)).toMatchObject({
      versionNumber: 1,
      changing: { change: expect.any(String) },
    });
    await withdrawIntent(database, { id: writer, targets: [] });
    expect(await changing).toMatchObject({ versionNumber: 2 });
    expect(await currentSchemaVersion(database, id)).not.toHaveProperty('changing');
  });

  it('answers 503 with Retry-After if writers do not end, and unblocks them', async () => {
    const id = await api.define('busy');
    const writer = await layWriter(id);
    const answer = await api.send('PUT', '/partner/schema-definitions/busy', { schema: object({ a: {} }) });
    expect(answer).toMatchObject({ status: 503, body: { success: false } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await currentSchemaVersion(database, id)).not.toHaveProperty('changing');
    await withdrawIntent(database, { id: writer, targets: [] });
  });

  it('is made one at a time', async () => {
    const id = await api.define('queue');
    const changes = await Promise.allSettled(
      Array.from({ length: 4 }, (_, i) =>
        changeSchemaDefinition(database, id, { schema: object({ [`f${i}`]: {} }) }, api.services.schemas.threads),
      ),
    );
    const made = changes.flatMap((change) => (change.status === 'fulfilled' ? [change.value?.versionNumber ?? 0] : []));
    for (const change of changes)
      if (change.status === 'rejected') expect(change.reason).toMatchObject({ code: 'change_busy' });
    expect((await readSchemaDefinition(database, id))?.versionNumber).toBe(made.length + 1);
  });

  it('whose lease has expired is aborted by a writer, and cannot complete', async () => {
    const id = await api.define('lost');
    const change = await beginChange(database, { id, versionNumber: 1 });
    if (change === null) throw new Error('no lease');
    expect(await beginChange(database, { id, versionNumber: 1 })).toBeNull();
    await schemaDefinitionsIn(database).updateOne({ _id: id }, { $set: { 'changing.leaseUntil': new Date(0) } });
    expect(await currentSchemaVersion(database, id)).toEqual({ _id: id, versionNumber: 1 });
    await expect(commitChange(database, change, { schema: object({ a: {} }) })).rejects.toMatchObject({
      code: 'change_busy',
    });
    expect(await readSchemaDefinition(database, id)).toMatchObject({ versionNumber: 1 });
  });

  it.each(['committed', 'aborted'] as const)('waits for a racing delete of a target, which is %s', async (state) => {
    const { id, land, town, next } = await landAndTown(`racing-${state}`);
    await resourcesIn(database).updateOne(
      { _id: land },
      { $set: { leaving: { batchId: 'x', group: `racing/${state}` } } },
    );
    const changing = changeSchemaDefinition(database, id, next, api.services.schemas.threads).catch(
      (error: unknown) => error,
    );
    await sleep(300);
    await groupsIn(database).insertOne({ _id: `racing/${state}`, state, at: new Date() });
    if (state === 'committed') expect(await changing).toMatchObject({ code: 'change_conflict' });
    else expect(await changing).toMatchObject({ versionNumber: 2 });
    expect(await referencesOf(town)).toEqual(state === 'committed' ? [] : [land]);
  });

  it('checks again once its references are visible: after a delete in between nothing is changed', async () => {
    const { id, land, town, next } = await landAndTown('between');
    const racing = interrupted(
      'resources',
      'bulkWrite',
      () => true,
      () => resourcesIn(database).deleteOne({ _id: land }),
    );
    await expect(changeSchemaDefinition(racing, id, next, api.services.schemas.threads)).rejects.toThrow(
      /1 would refer to a resource that is not there/,
    );
    expect(await referencesOf(town)).toEqual([]);
    expect(await readSchemaDefinition(database, id)).toMatchObject({ versionNumber: 1 });
    expect(await schemaDefinitionsIn(database).countDocuments({ referencesUnsettled: true })).toBe(0);
  });

  it('that died half way is repaired: stored references follow the schema', async () => {
    const { id, land, town } = await landAndTown('crashed');
    const change = await beginChange(database, { id, versionNumber: 1 });
    const document = await resourcesIn(database).findOne({ _id: town });
    if (change === null || document === null) throw new Error('not there');
    await markReferencesForRepair(database, change);
    await replaceReferences(database, [{ of: document, references: [land] }]);
    await finishSchemaChanges(database);
    expect(await referencesOf(town)).toEqual([land]);
    await schemaDefinitionsIn(database).updateOne({ _id: id }, { $set: { 'changing.leaseUntil': new Date(0) } });
    await finishSchemaChanges(database);
    expect(await referencesOf(town)).toEqual([]);
    expect(await schemaDefinitionsIn(database).findOne({ _id: id })).not.toHaveProperty('referencesUnsettled');
  });

  it('that was aborted changes nothing any more, however late its commands land', async () => {
    const { id, land, town, next } = await landAndTown('late-rewrite');
    const change = await beginChange(database, { id, versionNumber: 1 });
    const document = await resourcesIn(database).findOne({ _id: town });
    if (change === null || document === null) throw new Error('not there');
    await markReferencesForRepair(database, change);
    await schemaDefinitionsIn(database).updateOne({ _id: id }, { $set: { 'changing.leaseUntil': new Date(0) } });
    await changeSchemaDefinition(database, id, next, api.services.schemas.threads);
    expect(await replaceReferences(database, [{ of: document, references: [] }])).toBe(false);
    expect(await referencesOf(town)).toEqual([land]);
  });

  it('also rewrites resources that an attempt has put fences on in between', async () => {
    const { id, land, town, next } = await landAndTown('taken-over');
    const racing = interrupted(
      'resources',
      'bulkWrite',
      () => true,
      () => fenceStored(database, 'attempt', [town]),
    );
    expect(await changeSchemaDefinition(racing, id, next, api.services.schemas.threads)).toMatchObject({
      versionNumber: 2,
    });
    expect(await referencesOf(town)).toEqual([land]);
  });
});

describe('a delete of a schema definition', () => {
  it('is undone if another definition begins to refer to it', async () => {
    const id = await api.define('wanted');
    const isHiding = ([, update]: readonly unknown[]) => JSON.stringify(update).includes('"active":false');
    const racing = interrupted('schema_definitions', 'updateOne', isHiding, () =>
      api.define('late', { a: { $ref: 'reach:schemas/wanted' } }),
    );
    await expect(deleteSchemaDefinition(racing, id)).rejects.toMatchObject({ code: 'change_conflict' });
    expect(await readSchemaDefinition(database, id)).toMatchObject({ name: 'wanted' });
    expect(await currentSchemaVersion(database, id)).not.toHaveProperty('changing');
  });

  it('waits for writers, and sees the resources that they wrote', async () => {
    const id = await api.define('written');
    const writer = await layWriter(id);
    const deleting = deleteSchemaDefinition(database, id).catch((error: unknown) => error);
    await sleep(200);
    await api.store('written', [{ externalId: 'a' }]);
    await withdrawIntent(database, { id: writer, targets: [] });
    expect(await deleting).toMatchObject({ message: expect.stringContaining('1 resource') });
  });

  it('that died half way leaves its names free', async () => {
    const id = await api.define('half');
    await schemaDefinitionsIn(database).updateOne({ _id: id }, { $set: { active: false } });
    expect(await api.define('HALF')).not.toBe(id);
    expect(await schemaDefinitionsIn(database).findOne({ _id: id })).toBeNull();
  });
});
