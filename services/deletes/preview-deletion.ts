import { setImmediate } from 'node:timers/promises';
import type { Scope } from '../../domain/batch/scope.ts';
import type { KeyTable } from '../../domain/collections/key-table.ts';
import { isDeleted } from '../../domain/delete/decide-deletion.ts';
import { LinkedResources } from '../../domain/delete/linked-resources.ts';
import { DroverError } from '../../domain/errors.ts';
import { MAX_DRY_RUN_MS } from '../../domain/limits.ts';
import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import { parseResourceKey, resourceKey } from '../../domain/write/resource.ts';
import { allExternalIds } from '../../isolation/resources/reference-graph.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';
import { schemaNamesOf } from '../definitions/schema-names.ts';
import { decideYielding } from './decide-yielding.ts';
import { keysWorthAScan, type Loading, loadAll, loadListed } from './load-deletion-graph.ts';
import type { MemoryAllowance } from './memory-allowance.ts';

const TOO_LATE = `the dry run takes longer than ${MAX_DRY_RUN_MS / 1000} s: ask about fewer ids; the delete itself has no such limit`;
/** Ids of a `deleteAll` that are read at a time. */
const IDS_AT_ONCE = 2_000;

/** The effects that a delete would have: the answer to `dryRun`. */
export interface DeletionPreview {
  /** Resources that would be deleted by schema definition, the requested one first. */
  readonly deletions: readonly SchemaDeletions[];
  readonly totalDeletions: number;
  /** Requested ids that would stay because of their referrers; each id once. */
  readonly skipped: number;
  /** Requested ids that do not exist; each id once. */
  readonly notFound: number;
}

interface SchemaDeletions {
  readonly schemaDefinitionId: string;
  readonly schemaDefinitionName: string;
  readonly count: number;
}

export interface DeletionRequest {
  readonly externalIds: readonly string[];
  readonly cascade: boolean;
  readonly deleteAll: boolean;
}

/**
 * Decides a delete on the stored resources, as the real run does, and changes nothing.
 * @param deadline in ms since 1970.
 * @throws DroverError `preview_timeout` after the deadline; MemoryExceededError if the references around the requested resources take too much.
 */
export async function previewDeletion(
  { database, planningMemory }: { readonly database: Database; readonly planningMemory: MemoryAllowance },
  scope: Scope,
  definition: Pick<SchemaDefinition, 'id'>,
  request: DeletionRequest,
  deadline: number = Date.now() + MAX_DRY_RUN_MS,
): Promise<DeletionPreview> {
  const progress = async (): Promise<void> => {
    if (Date.now() > deadline) throw new DroverError('preview_timeout', TOO_LATE);
    await setImmediate();
  };
  return planningMemory.lend((charge) => {
    const { cascade } = request;
    const linked = new LinkedResources(charge);
    const loading = { database, scope, schemaDefinitionId: definition.id, cascade, linked, charge, progress };
    return decide(loading, request);
  });
}

async function decide(loading: Loading, request: DeletionRequest): Promise<DeletionPreview> {
  const { database, schemaDefinitionId, linked } = loading;
  const { keys } = linked;
  const isListed = await list(loading, request);
  const asked = keys.size;
  const present = isListed ? await loadListed(loading) : null;
  const all = present === null ? await loadAll(loading) : 0;
  const targets = new Uint8Array(keys.size);
  if (present !== null) targets.set(present);
  else for (const number of targets.keys()) targets[number] = schemaOf(keys, number) === schemaDefinitionId ? 1 : 0;
  const decision = await decideYielding(loading, targets);
  const counts = new Map<string, number>([[schemaDefinitionId, 0]]);
  let skipped = 0;
  for (const [number, isTarget] of targets.entries()) {
    const schema = schemaOf(keys, number);
    if (isDeleted(decision, number)) counts.set(schema, (counts.get(schema) ?? 0) + 1);
    else skipped += isTarget;
  }
  // most of these have no references, and no number
  if (present === null) counts.set(schemaDefinitionId, all - skipped);
  const names = await schemaNamesOf(database, keys.groups);
  const deletions = [...counts].flatMap(([id, count]) =>
    count > 0 ? [{ schemaDefinitionId: id, schemaDefinitionName: names.get(id) ?? id, count }] : [],
  );
  return {
    deletions,
    totalDeletions: deletions.reduce((sum, { count }) => sum + count, 0),
    skipped,
    notFound: present === null ? 0 : asked - present.reduce((sum, one) => sum + one, 0),
  };
}

/** Numbers the requested resources. @returns false if there are so many that another way is cheaper. */
async function list(
  { database, scope, schemaDefinitionId, linked: { keys }, progress }: Loading,
  { externalIds, deleteAll }: DeletionRequest,
): Promise<boolean> {
  const most = deleteAll ? await keysWorthAScan(database) : Number.POSITIVE_INFINITY;
  const pages = deleteAll
    ? allExternalIds(database, scope, schemaDefinitionId, IDS_AT_ONCE)
    : parts(externalIds, IDS_AT_ONCE);
  for await (const page of pages) {
    await progress();
    for (const externalId of page) keys.add(resourceKey(scope, schemaDefinitionId, externalId));
    if (keys.size > most) return false;
  }
  return true;
}

function schemaOf(keys: KeyTable, number: number): string {
  return parseResourceKey(keys.groups[keys.groupOf(number)] ?? '').schemaDefinitionId;
}
