import { announceBatch, announceImport } from '../../services/webhooks/announce.ts';
import { wakeWebhooks } from '../../services/webhooks/wake-webhooks.ts';
import { importsWithEvents } from '../../store/imports/imports.ts';
import { nextOverdueWebhook, removeExpiredDeliveries } from '../../store/webhooks/deliveries.ts';
import { batchesWithEvents } from '../../store/webhooks/noted-events.ts';
import { isOver, NOTHING_DONE, type RecoveryJob } from './job.ts';

/** Batches, imports or messages of one portion. */
const PER_PORTION = 100;
/** Longer than the time that the process which notes an event has for its messages, in ms. */
const DUE_SOON_MS = 15_000;
/** Time after which a message that is due counts as one that nobody delivers, in ms. */
const OVERDUE_MS = 15_000;
const OVERDUE = 'deliveries';

/** Makes messages of the events that were noted by processes which died before they had made them. */
const announceEvents: RecoveryJob = {
  name: 'events',
  everyMs: 5_000,
  run: async (portion) => {
    const { context } = portion;
    const asOf = new Date(Date.now() + (portion.isAtOnce ? DUE_SOON_MS : 0));
    const batches = await batchesWithEvents(context.database, asOf, PER_PORTION);
    const imports = await importsWithEvents(context.database, asOf, PER_PORTION);
    let delivered = 0;
    for (const announce of [
      ...batches.map(
        ({ _id }) =>
          () =>
            announceBatch(context, _id),
      ),
      ...imports.map(
        ({ _id }) =>
          () =>
            announceImport(context, _id),
      ),
    ]) {
      if (isOver(portion)) break;
      await announce();
      delivered += 1;
    }
    return { recovered: { delivered }, hasMore: false };
  },
};

/** Wakes the webhooks whose messages are overdue: nobody was told of them, or their workflow was lost. One that is slow is told in vain. */
const wakeOverdue: RecoveryJob = {
  name: OVERDUE,
  everyMs: 10_000,
  run: async (portion) => {
    const { context, isAtOnce, places } = portion;
    const asOf = new Date(Date.now() - (isAtOnce ? 0 : OVERDUE_MS));
    for (let n = 0; n < PER_PORTION && !isOver(portion); n++) {
      const webhook = await nextOverdueWebhook(context.database, asOf, places.get(OVERDUE) ?? '');
      if (webhook === null) {
        places.delete(OVERDUE);
        return NOTHING_DONE;
      }
      places.set(OVERDUE, webhook.webhookId);
      await wakeWebhooks(context, [webhook]);
    }
    return { recovered: {}, hasMore: !isOver(portion) };
  },
};

/** Messages that are kept no longer. */
const expireDeliveries: RecoveryJob = {
  name: 'expire-deliveries',
  everyMs: 60_000,
  run: async ({ context: { database } }) => ({
    recovered: {},
    hasMore: (await removeExpiredDeliveries(database, new Date(), PER_PORTION)) === PER_PORTION,
  }),
};

/** What recovery does for webhooks, the most urgent first. */
export const WEBHOOK_JOBS: readonly RecoveryJob[] = [announceEvents, wakeOverdue, expireDeliveries];
