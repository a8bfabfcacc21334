import type { Collection, Document } from 'mongodb';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { NAMESPACE_SCOPE, scopeKey } from '../../../domain/batch/scope.ts';
import { fenceResources } from '../../../isolation/attempts/fences.ts';
import { groupsIn } from '../../../isolation/groups/groups.ts';
import { findResource } from '../../../isolation/resources/resource-pages.ts';
import { insertResources, removeUncommitted } from '../../../isolation/resources/write-resources.ts';
import { connectDatabase, type Database } from '../../../store/mongodb/database.ts';
import type { ResourceDocument } from '../../../store/resources.ts';
import { withCollection } from '../../../testkit/replaced-collection.ts';

let database: Database;
beforeAll(async () => {
  database = await connectDatabase(inject('mongodbUri'), `visible-${process.pid}-${Date.now()}`);
});
afterAll(() => database.close());

function resource(externalId: string, more: Partial<ResourceDocument>): ResourceDocument {
  return {
    _id: `p/t/s/${externalId}`,
    id: `life of ${externalId}`,
    scope: scopeKey(NAMESPACE_SCOPE),
    schemaDefinitionId: 's',
    externalId,
    data: { externalId },
    references: [],
    version: 1,
    createdAt: new Date(),
    updatedAt: new Date(),
    writes: [],
    ...more,
  };
}

/** The same database, where `before` runs after a resource was read and before its group is read. */
function between(before: () => Promise<unknown>): Database {
  const commits = new Proxy(groupsIn(database), {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== 'find' || typeof value !== 'function') return value;
      return (...args: unknown[]) => ({
        toArray: async () => {
          await before();
          return (value.apply(target, args) as ReturnType<Collection<Document>['find']>).toArray();
        },
      });
    },
  });
  return withCollection(database, 'commits', commits);
}

test('a resource that replaces a placeholder during a read is not there yet, and causes no error', async () => {
  const _id = 'p/t/s/fenced';
  await fenceResources(database, 'token', [_id]);
  const stored = resource('fenced', {});
  const racing = between(() => insertResources(database, [stored], new Map([[_id, 'token']])));
  expect(await findResource(racing, _id)).toBeNull();
  expect(await findResource(database, _id)).toMatchObject({ id: stored.id });
});

test('a resource that was never committed is not seen, although another resource replaces it during the read', async () => {
  const _id = 'p/t/s/aborted';
  await insertResources(database, [resource('aborted', { hidden: 'group', data: { never: 'committed' } })]);
  const next = resource('aborted', { id: 'another life' });
  const racing = between(async () => {
    await removeUncommitted(database, 'group', [_id]);
    await insertResources(database, [next]);
  });
  expect(await findResource(racing, _id)).toBeNull();
  expect(await findResource(database, _id)).toMatchObject({ id: 'another life' });
});
