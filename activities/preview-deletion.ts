import { decideLargeDeletion } from '../domain/deletion-layout.ts';
import { parseResourceKey, type ResourceKey, resourceKey } from '../domain/resource.ts';
import type { SchemaDefinition } from '../domain/schema-definition.ts';
import type { Scope } from '../domain/scope.ts';
import { allExternalIds } from '../store/reference-graph.ts';
import { schemaNamesOf } from './deletion-outcomes.ts';
import type { Dependencies } from './dependencies.ts';
import { loadDeletionGraph } from './load-deletion-graph.ts';

/** How long a caller waits for a dry run, in ms (issue 7). */
export const PREVIEW_TIMEOUT_MS = 30_000;
/** Ids of a `deleteAll` that are read at a time. */
const IDS_AT_ONCE = 2_000;

/** What a delete would do (contract section 2, `dryRun`). */
export interface DeletionPreview {
  /** Resources that would go by schema definition, the one that is asked for first. */
  readonly deletions: readonly SchemaDeletions[];
  readonly totalDeletions: number;
  /** Ids asked for that would stay because of what refers to them; each id once. */
  readonly skipped: number;
  /** Ids asked for that are not there; each id once. */
  readonly notFound: number;
}

export interface SchemaDeletions {
  readonly schemaDefinitionId: string;
  readonly schemaDefinitionName: string;
  readonly count: number;
}

export interface DeletionRequest {
  readonly externalIds: readonly string[];
  readonly cascade: boolean;
  readonly deleteAll: boolean;
}

/** The preview takes longer than a caller waits for it; the real run has no such limit. */
export class PreviewTimeoutError extends Error {
  override readonly name = 'PreviewTimeoutError';
}

/**
 * Decides a delete on what is stored now, as the real run does, and touches nothing.
 * @param deadline in ms since 1970.
 * @throws PreviewTimeoutError past the deadline.
 */
export async function previewDeletion(
  { database }: Pick<Dependencies, 'database'>,
  scope: Scope,
  definition: Pick<SchemaDefinition, 'id'>,
  { externalIds, cascade, deleteAll }: DeletionRequest,
  deadline: number = Date.now() + PREVIEW_TIMEOUT_MS,
): Promise<DeletionPreview> {
  const assertInTime = (): void => {
    if (Date.now() > deadline) throw new PreviewTimeoutError('the dry run takes too long');
  };
  const asked = new Set<ResourceKey>();
  const pages = deleteAll ? allExternalIds(database, scope, definition.id, IDS_AT_ONCE) : [externalIds];
  for await (const page of pages) {
    assertInTime();
    for (const externalId of page) asked.add(resourceKey(scope, definition.id, externalId));
  }
  const graph = await loadDeletionGraph(database, { scope, targets: [...asked], cascade }, assertInTime);
  const { stages, kept } = decideLargeDeletion(graph, cascade);
  assertInTime();
  const counts = new Map<string, number>([[definition.id, 0]]);
  let totalDeletions = 0;
  for (const stage of stages) {
    for (const key of stage.flat()) {
      const { schemaDefinitionId } = parseResourceKey(key);
      counts.set(schemaDefinitionId, (counts.get(schemaDefinitionId) ?? 0) + 1);
      totalDeletions += 1;
    }
  }
  const names = await schemaNamesOf(database, stages.flat(2));
  const deletions = [...counts].flatMap(([id, count]) =>
    count > 0 ? [{ schemaDefinitionId: id, schemaDefinitionName: names.get(id) ?? id, count }] : [],
  );
  return { deletions, totalDeletions, skipped: kept.size, notFound: asked.size - graph.targets.length };
}
