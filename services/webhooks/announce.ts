import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { NotedEvent } from '../../domain/webhooks/noted-event.ts';
import type { WebhookEvent } from '../../domain/webhooks/webhook.ts';
import { readBatch } from '../../store/batches/batches.ts';
import { readImport } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { logPostponed } from '../failures.ts';
import { makeBatchMessages, makeImportMessages } from './make-messages.ts';
import type { Subscriptions } from './subscriptions.ts';
import { wakeFor } from './wake-webhooks.ts';

export interface AnnounceParts {
  readonly database: Database;
  readonly client: Client;
  readonly taskQueue: string;
  readonly logger: Logger;
}

/** An event to be noted in the write that makes it; null if nobody of the tenant is told of it. @param scope escaped. */
export async function eventToNote(
  subscriptions: Subscriptions,
  scope: string,
  type: WebhookEvent,
  state: Pick<NotedEvent, 'status' | 'result'>,
): Promise<NotedEvent | null> {
  return (await subscriptions.isTold(scope, type)) ? { id: uuidv7(), type, at: new Date(), ...state } : null;
}

/**
 * Makes the messages of the events that are noted on a batch, and has them delivered. The events are stored: if this fails, recovery does it, and whatever the
 * caller is doing goes on.
 */
export const announceBatch = (parts: AnnounceParts, batchId: string): Promise<void> =>
  orLater(parts, { batchId }, async () => {
    const batch = await readBatch(parts.database, batchId);
    if (batch?.events !== undefined) await wakeFor(parts, await makeBatchMessages(parts.database, batch));
  });

/** The same of an import. */
export const announceImport = (parts: AnnounceParts, importId: string): Promise<void> =>
  orLater(parts, { importId }, async () => {
    const imported = await readImport(parts.database, importId);
    if (imported?.events !== undefined) await wakeFor(parts, await makeImportMessages(parts.database, imported));
  });

async function orLater({ logger }: AnnounceParts, about: object, announce: () => Promise<void>): Promise<void> {
  try {
    await announce();
  } catch (error) {
    logPostponed(logger, error, about, 'webhooks could not be told of an event; recovery does it');
  }
}
