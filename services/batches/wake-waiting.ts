import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { appendTo } from '../../domain/collections/append-to.ts';
import { parseResourceKey, type ResourceKey } from '../../domain/write/resource.ts';
import { type Registration, registrationsFor, removeWaits } from '../../store/items/waits.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';
import { type AvailableResource, batchWorkflowId, dependenciesAvailableSignal } from '../../workflows/messages.ts';
import { isSignalLimit } from './signal-limit.ts';

/** Largest number of identities in one signal: a signal stays far below Temporal's limit of 2 MB for a payload. */
const KEYS_PER_SIGNAL = 500;

/** Batches that are signalled side by side, and whose registrations are then removed together. */
const BATCHES_AT_ONCE = 20;

/**
 * Wakes every batch that waits for one of these identities, which exist now: one signal for each batch, however many of its items
 * wait. A batch registers, then checks; a batch that creates a resource writes it, then reads the registrations here: one of the two sees the other (invariant 5).
 * A registration is removed only after its signal is accepted, so that after a crash in between the signal is sent again; it is removed soon after, so that
 * a later attempt continues where this one stopped.
 */
export async function wakeWaiting(
  { database, client }: { readonly database: Database; readonly client: Client },
  keys: readonly ResourceKey[],
): Promise<void> {
  if (keys.length === 0) return;
  for await (const registrations of registrationsFor(database, keys)) {
    for (const some of parts([...groupByBatch(registrations)], BATCHES_AT_ONCE)) {
      await Promise.all(
        some.map(([batchId, own]) =>
          signalAvailable(
            { client },
            batchId,
            own.map(({ key }) => parseResourceKey(key)),
          ),
        ),
      );
      await removeWaits(
        database,
        some.flatMap(([, own]) => own),
      );
    }
  }
}

function groupByBatch(registrations: readonly Registration[]): Map<string, Registration[]> {
  const groups = new Map<string, Registration[]>();
  for (const registration of registrations) {
    appendTo(groups, registration.batchId, registration);
  }
  return groups;
}

/**
 * Signals one batch that a missing reference may have appeared; a finished batch needs no signal. A workflow that accepts no more
 * signals has enough of them: it continues as new as soon as its running work is over, and then checks (invariant 5).
 */
export async function signalAvailable(
  { client }: { readonly client: Client },
  batchId: string,
  available: readonly AvailableResource[],
): Promise<void> {
  const handle = client.workflow.getHandle(batchWorkflowId(batchId));
  try {
    for (let at = 0; at < Math.max(1, available.length); at += KEYS_PER_SIGNAL) {
      await handle.signal(dependenciesAvailableSignal, available.slice(at, at + KEYS_PER_SIGNAL));
    }
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError) && !isSignalLimit(error)) throw error;
  }
}
