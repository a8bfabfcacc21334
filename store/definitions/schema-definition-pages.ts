import type { Filter } from 'mongodb';
import { COUNT_LIMIT, type Total, totalOf } from '../../domain/batch/total.ts';
import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import type { Database } from '../mongodb/database.ts';
import { fromDocument, type SchemaDefinitionDocument, schemaDefinitionsIn } from './schema-definitions.ts';

/** Most bytes of JSON text in one page of several definitions: an answer has at most 4 MiB (`MAX_ANSWER_BYTES`). */
const PAGE_BYTES = 3 * 1024 * 1024;
/** Definitions that are read at a time: each has up to 3 MB. */
const READ_AT_ONCE = 20;

/**
 * One page of a platform's definitions, newest first, older than `before`: stable while definitions are added. It ends early if
 * they are large.
 */
export async function schemaDefinitionPage(
  database: Database,
  platform: string,
  before: string | null,
  limit: number,
): Promise<{ definitions: SchemaDefinition[]; next: string | null; total: Total }> {
  const filter = { platform, active: true };
  const older = before === null ? filter : { ...filter, _id: { $lt: before } };
  const [page, total] = await Promise.all([
    readDefinitions(database, older, limit),
    countSchemaDefinitions(database, platform),
  ]);
  return { ...page, total };
}

/** How many definitions a platform has. */
export async function countSchemaDefinitions(database: Database, platform: string): Promise<Total> {
  return totalOf(
    await schemaDefinitionsIn(database).countDocuments({ platform, active: true }, { limit: COUNT_LIMIT }),
  );
}

/** The fields of an answer beside schema, description and references of a definition: names, ids and dates. */
const BYTES_BESIDE_SCHEMA = 1_024;

/** Largest size of a definition in an answer, in bytes. Its text already contains the escapes of the schema. */
function answerBytes({ schema, description = '', referenceSchemas }: SchemaDefinitionDocument): number {
  const beside = Buffer.byteLength(JSON.stringify([description, referenceSchemas]));
  return Buffer.byteLength(schema) + beside + BYTES_BESIDE_SCHEMA;
}

async function readDefinitions(
  database: Database,
  filter: Filter<SchemaDefinitionDocument>,
  limit: number,
): Promise<{ definitions: SchemaDefinition[]; next: string | null }> {
  const definitions: SchemaDefinition[] = [];
  let bytes = 0;
  const batchSize = Math.min(limit + 1, READ_AT_ONCE);
  const cursor = schemaDefinitionsIn(database).find(filter, { batchSize }).sort({ _id: -1 });
  try {
    for await (const document of cursor) {
      bytes += answerBytes(document);
      const isFull = definitions.length === limit || (definitions.length > 0 && bytes > PAGE_BYTES);
      if (isFull) return { definitions, next: definitions.at(-1)?.id ?? null };
      definitions.push(fromDocument(document));
    }
    return { definitions, next: null };
  } finally {
    await cursor.close();
  }
}
