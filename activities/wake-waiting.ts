import { WorkflowNotFoundError } from '@temporalio/client';
import { parseResourceKey, type ResourceKey } from '../domain/resource.ts';
import { readDependencies, removeWaiting } from '../store/dependencies.ts';
import { type AvailableDependency, batchWorkflowId, dependenciesAvailableSignal } from '../workflows/messages.ts';
import type { Dependencies } from './dependencies.ts';

/** Most identities named in one signal: a signal stays far below Temporal's limit of 2 MB for a payload. */
const KEYS_PER_SIGNAL = 500;

/**
 * Wakes every batch that waits for one of these identities, which exist now: one signal a batch, whatever number of its items
 * wait. Who waits registers, then looks; who creates writes, then looks here: one of the two sees the other (invariant 5).
 * A registration goes only after its signal is accepted, so that a crash in between signals again.
 */
export async function wakeWaiting({ database, client }: Pick<Dependencies, 'database' | 'client'>, keys: readonly ResourceKey[]): Promise<void> {
  const found = await readDependencies(database, keys);
  const answered: { key: ResourceKey; batchId: string; token: string }[] = [];
  const byBatch = new Map<string, AvailableDependency[]>();
  for (const [key, { waiting = {} }] of found) {
    for (const [batchId, token] of Object.entries(waiting)) {
      answered.push({ key, batchId, token });
      const available = byBatch.get(batchId);
      if (available) available.push(parseResourceKey(key));
      else byBatch.set(batchId, [parseResourceKey(key)]);
    }
  }
  for (const [batchId, available] of byBatch) await signalAvailable({ client }, batchId, available);
  await removeWaiting(database, answered);
}

/** Tells one batch that something may be there for it; a batch that is over needs to know nothing. */
export async function signalAvailable(
  { client }: Pick<Dependencies, 'client'>,
  batchId: string,
  available: readonly AvailableDependency[],
): Promise<void> {
  const handle = client.workflow.getHandle(batchWorkflowId(batchId));
  try {
    for (let at = 0; at < Math.max(1, available.length); at += KEYS_PER_SIGNAL) {
      await handle.signal(dependenciesAvailableSignal, available.slice(at, at + KEYS_PER_SIGNAL));
    }
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
