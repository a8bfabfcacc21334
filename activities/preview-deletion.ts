import type { SchemaDefinition } from '../domain/schema-definition.ts';
import type { Scope } from '../domain/scope.ts';
import type { Dependencies } from './dependencies.ts';

/** What a delete would do (contract section 2, `dryRun`). */
export interface DeletionPreview {
  readonly deletions: readonly { readonly schemaDefinitionId: string; readonly schemaDefinitionName: string; readonly count: number }[];
  readonly totalDeletions: number;
  /** Ids asked for that would stay because of what refers to them; each id once. */
  readonly skipped: number;
  readonly notFound: number;
}

export interface DeletionRequest {
  readonly externalIds: readonly string[];
  readonly cascade: boolean;
  readonly deleteAll: boolean;
}

/** The preview would take longer than a caller waits for it. */
export class PreviewTimeoutError extends Error {
  override readonly name = 'PreviewTimeoutError';
}

/**
 * Decides a delete as the real run does, and touches nothing.
 * @throws PreviewTimeoutError past `deadline` (ms since 1970; 30 s from now where absent).
 */
export async function previewDeletion(
  _dependencies: Pick<Dependencies, 'database'>,
  _scope: Scope,
  _definition: Pick<SchemaDefinition, 'id' | 'name'>,
  _request: DeletionRequest,
  _deadline?: number,
): Promise<DeletionPreview> {
  throw new Error('dry runs are being written');
}
