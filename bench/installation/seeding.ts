import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Scope } from '../../domain/batch/scope.ts';
import type { connectDatabase } from '../../store/mongodb/database.ts';
import type * as seeds from '../data/seed.ts';
import type { Version } from './version.ts';

/** Stores resources in the form in which batches of one version leave them. */
export interface Seeding {
  store(scope: Scope, schemaDefinitionId: string, seeds: Iterable<seeds.Seed>): Promise<void>;
  close(): Promise<void>;
}

/** An embedded server that holds millions of documents stands still for seconds when it collects its garbage. */
const SOCKET_TIMEOUT_MS = 120_000;

/** By the code of that version: another one may store resources otherwise. @throws where it has none for this. */
export async function openSeeding({ name, build }: Version, uri: string, database: string): Promise<Seeding> {
  const file = join(build, 'bench/data/seed.js');
  if (!existsSync(file)) throw new Error(`${name} has no bench/data/seed.ts: nothing can be stored for it beforehand`);
  const { storeSeeds } = (await import(pathToFileURL(file).href)) as typeof seeds;
  const { connectDatabase: connect } = (await import(pathToFileURL(join(build, 'store/mongodb/database.js')).href)) as {
    connectDatabase: typeof connectDatabase;
  };
  const connected = await connect(uri, database, { socketTimeoutMS: SOCKET_TIMEOUT_MS });
  return {
    store: (scope, schemaDefinitionId, some) => storeSeeds(connected, scope, schemaDefinitionId, some),
    close: () => connected.close(),
  };
}
