import { v7 as uuidv7 } from 'uuid';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { type JsonObject, type ResourceKey, resourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { type ResourceDocument, resourcesIn } from '../../store/resources.ts';
import { customer, REGIONS, regionCode } from './customers.ts';

/** A resource to be stored without a batch. */
export interface Seed {
  readonly externalId: string;
  readonly data: JsonObject;
  readonly references?: readonly ResourceKey[];
}

const SEEDS_AT_ONCE = 1000;

/** Stores resources in the form in which batches leave them, far faster than batches would. */
export async function storeSeeds(
  database: Database,
  scope: Scope,
  schemaDefinitionId: string,
  seeds: Iterable<Seed>,
): Promise<void> {
  const now = new Date();
  let documents: ResourceDocument[] = [];
  for (const { externalId, data, references = [] } of seeds) {
    documents.push({
      _id: resourceKey(scope, schemaDefinitionId, externalId),
      id: uuidv7(),
      scope: scopeKey(scope),
      schemaDefinitionId,
      externalId,
      data,
      references: [...references],
      version: 1,
      createdAt: now,
      updatedAt: now,
      writes: [],
    });
    if (documents.length < SEEDS_AT_ONCE) continue;
    await resourcesIn(database).insertMany(documents);
    documents = [];
  }
  if (documents.length > 0) await resourcesIn(database).insertMany(documents);
}

export function* regionSeeds(): Generator<Seed> {
  for (let n = 0; n < REGIONS; n++)
    yield { externalId: regionCode(n), data: { code: regionCode(n), name: `Region ${n}` } };
}

export function* customerSeeds(scope: Scope, regionDefinitionId: string, from: number, count: number): Generator<Seed> {
  for (let n = from; n < from + count; n++) {
    const data = customer(n);
    yield { externalId: data.id, data, references: [resourceKey(scope, regionDefinitionId, data.region)] };
  }
}
