import { createHash } from 'node:crypto';
import { type AboutBatch, saidOf } from '../../domain/batch/about.ts';
import type { Instruction, ResourceBatch } from '../../domain/batch/batch.ts';
import { canonicalHash } from '../../domain/batch/canonical-hash.ts';
import { findAccepted, type KeyedRequest } from '../../services/batches/accept-batch.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import type { ApiContext } from './context.ts';
import type { Input } from './define-route.ts';
import { success } from './envelope.ts';

/** The identity of a request, by which a repetition is recognised; null without an Idempotency-Key. */
export function keyedRequest(
  c: ApiContext,
  { operation, options }: Instruction<ResourceBatch>,
  about: AboutBatch,
  { json, rawBody, entryFlaws }: Pick<Input<unknown, unknown, unknown>, 'json' | 'rawBody' | 'entryFlaws'>,
): KeyedRequest | null {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return null;
  // whoever sends it, and what is not said makes no difference: keys of earlier versions know neither
  const how = [
    operation,
    JSON.stringify({ ...options, ...saidOf({ ...about, createdBy: undefined, isForAll: undefined }) }),
  ];
  return {
    key,
    // entries with a flaw have lost part of what was sent: only the same bytes are the same request
    canonical: canonicalHash([...how, entryFlaws.size === 0 ? '' : fingerprintOf([], rawBody)], json),
    fingerprintFor: (schemaDefinitionId) => fingerprintOf([operation, schemaDefinitionId, how[1] ?? ''], rawBody),
  };
}

/** The earlier answer to the same request under the same key; null if there is none. */
export async function acceptedBefore(
  c: ApiContext,
  keyed: KeyedRequest | null,
  nameOrId: string,
): Promise<Response | null> {
  const batch = keyed && (await findAccepted(c.var.services, c.var.scope, keyed, nameOrId));
  return batch && answerAccepted(c, batch);
}

/** The same message for the same batch, at any time. */
export function answerAccepted(c: ApiContext, { _id, operation, total, schemaDefinitionId }: BatchDocument): Response {
  const message = `${total} ${total === 1 ? 'record was' : 'records were'} accepted for ${operation}`;
  const data = { batchId: _id, message, recordCount: total, schemaDefinitionId };
  return c.json(success('Batch accepted', data), 202);
}

function fingerprintOf(about: readonly string[], body: Uint8Array): string {
  const hash = createHash('sha256');
  for (const part of about) hash.update(part).update('\n');
  return hash.update(body).digest('hex');
}
