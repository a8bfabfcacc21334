import { v7 as uuidv7 } from 'uuid';
import type { Instruction, ResourceBatch } from '../../domain/batch/batch.ts';
import { insertBatch, type NewResourceBatch } from '../../store/batches/batches.ts';
import { writeItemPages } from '../../store/items/item-pages.ts';
import type { Database } from '../../store/mongodb/database.ts';

/** A resource as it is sent. */
export type Body = Readonly<Record<string, unknown>> & { readonly externalId: string };

type About = Pick<NewResourceBatch, 'scope' | 'schemaDefinitionId' | 'schemaName' | 'pageSize'>;

/** Stores a batch as the API does when it accepts one, without starting its workflow. @returns its id. */
export async function insertAccepted(
  database: Database,
  instruction: Instruction<ResourceBatch>,
  about: About,
  bodies: readonly Body[],
): Promise<string> {
  const _id = uuidv7();
  const items = bodies.map((body) => ({ externalId: body.externalId, body: JSON.stringify(body) }));
  await writeItemPages(database, { batchId: _id }, items, about.pageSize);
  await insertBatch(database, { _id, ...about, ...instruction, total: bodies.length, createdAt: new Date() });
  return _id;
}
