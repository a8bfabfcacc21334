import { NAMESPACE_SCOPE, type Scope } from '../../../domain/batch/scope.ts';
import { type BatchDocument, findBatch } from '../../../store/batches/batches.ts';
import { notFound } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';

/** The batch that a path names. @throws DroverError 404 */
export async function batchOf(c: ApiContext, batchId: string): Promise<BatchDocument> {
  const batch = await findBatch(c.var.services.database, batchScopesOf(c), batchId);
  if (batch === null) throw noBatch(batchId);
  return batch;
}

/** The scope of a caller's batches: its tenant, and for the operator also the whole namespace. */
export const batchScopesOf = (c: ApiContext): Scope[] =>
  c.var.actsOnNamespace ? [c.var.scope, NAMESPACE_SCOPE] : [c.var.scope];

export const noBatch = (batchId: string) => notFound(`there is no batch "${batchId}"`);
