import { setTimeout as sleep } from 'node:timers/promises';
import { heartbeat } from '@temporalio/activity';
import { MAX_WEBHOOK_AT_ONCE } from '../../domain/limits.ts';
import { deliverMessage } from '../../services/webhooks/deliver-message.ts';
import { type DeliveryDocument, dueDeliveries, failPending, nextDue } from '../../store/webhooks/deliveries.ts';
import { readWebhook, type WebhookDocument } from '../../store/webhooks/webhooks.ts';
import type { Delivered, WebhookInput } from '../../workflows/webhooks/messages.ts';
import type { ActivityContext } from '../activity-context.ts';
import { showProgress } from '../control/show-progress.ts';

/** Time after which an attempt takes up no more messages, in ms: well before Temporal times it out. */
const TAKEN_UP_MS = 60_000;
const HEARTBEAT_MS = 3_000;
/** How often it looks for more messages while some are under way, in ms. */
const LOOK_EVERY_MS = 500;
/** Messages that are given up at a time. */
const GIVEN_UP_AT_ONCE = 100;

/**
 * Sends the messages of one webhook that are due, some at a time. Safe to repeat: each message notes its own attempts, and is due again by itself.
 */
export async function deliverMessages(context: ActivityContext, { webhookId }: WebhookInput): Promise<Delivered> {
  // a receiver may take longer to answer than a dead worker is to be noticed
  const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
  try {
    await new Deliveries(context, webhookId).sendDue();
    return { nextDueAt: (await nextDue(context.database, webhookId))?.getTime() ?? null };
  } finally {
    clearInterval(beat);
  }
}

/** The messages of one webhook that are under way. */
class Deliveries {
  readonly #context: ActivityContext;
  readonly #webhookId: string;
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #until = Date.now() + TAKEN_UP_MS;
  #failure: { readonly error: unknown } | undefined;

  constructor(context: ActivityContext, webhookId: string) {
    this.#context = context;
    this.#webhookId = webhookId;
  }

  /** Returns when nothing is due, and nothing under way. @throws errors of MongoDB. */
  async sendDue(): Promise<void> {
    while (await this.#takeUp()) {
      showProgress();
      await Promise.race([...this.#underWay.values(), sleep(LOOK_EVERY_MS)]);
    }
    await Promise.all(this.#underWay.values());
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Begins to send as many messages as may be under way. @returns false if there is nothing more to do. */
  async #takeUp(): Promise<boolean> {
    const { database } = this.#context;
    if (this.#failure !== undefined || Date.now() > this.#until) return false;
    const room = MAX_WEBHOOK_AT_ONCE - this.#underWay.size;
    if (room === 0) return true;
    const webhook = await readWebhook(database, this.#webhookId);
    if (webhook === null || webhook.disabledAt !== undefined) {
      await this.#giveUp(webhook);
      return false;
    }
    // those that are under way are due as well
    const due = await dueDeliveries(database, this.#webhookId, new Date(), MAX_WEBHOOK_AT_ONCE);
    for (const delivery of due.filter(({ _id }) => !this.#underWay.has(_id)).slice(0, room))
      this.#send(webhook, delivery);
    return this.#underWay.size > 0;
  }

  #send(webhook: WebhookDocument, delivery: DeliveryDocument): void {
    const sending = async (): Promise<void> => {
      try {
        await deliverMessage(this.#context, webhook, delivery);
        await this.#context.checkpoint?.('delivered', this.#webhookId);
      } catch (error) {
        this.#failure ??= { error };
      } finally {
        this.#underWay.delete(delivery._id);
      }
    };
    this.#underWay.set(delivery._id, sending());
  }

  async #giveUp(webhook: WebhookDocument | null): Promise<void> {
    const reason = webhook === null ? 'the webhook was removed' : `the webhook is disabled: ${webhook.disabledReason}`;
    while ((await failPending(this.#context.database, this.#webhookId, reason, GIVEN_UP_AT_ONCE)) > 0) showProgress();
  }
}
