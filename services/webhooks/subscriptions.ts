import type { WebhookEvent } from '../../domain/webhooks/webhook.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { enabledWebhooks } from '../../store/webhooks/webhooks.ts';

/**
 * How long a process goes by what it has read, in ms. Whoever changes a webhook waits as long before it answers (`untilKnown`): from its answer on no process goes
 * by what was before.
 */
export const SUBSCRIPTIONS_KEPT_MS = 1_000;
/** Tenants that are remembered. */
const MOST_KEPT = 10_000;

interface Known {
  readonly until: number;
  readonly events: Promise<ReadonlySet<WebhookEvent>>;
}

/** Which events the webhooks of a tenant are told of. The end of a batch costs a tenant without webhooks at most one look-up a second. */
export class Subscriptions {
  readonly #database: Database;
  readonly #known = new Map<string, Known>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Whether a webhook of the tenant is told of an event. @param scope escaped. @throws errors of MongoDB. */
  async isTold(scope: string, event: WebhookEvent): Promise<boolean> {
    const known = this.#known.get(scope);
    if (known !== undefined && performance.now() < known.until) return (await known.events).has(event);
    const until = performance.now() + SUBSCRIPTIONS_KEPT_MS;
    const events = this.#read(scope);
    if (this.#known.size >= MOST_KEPT) this.#known.clear();
    this.#known.set(scope, { until, events });
    try {
      return (await events).has(event);
    } catch (error) {
      this.#known.delete(scope);
      throw error;
    }
  }

  async #read(scope: string): Promise<ReadonlySet<WebhookEvent>> {
    return new Set((await enabledWebhooks(this.#database, scope)).flatMap(({ events }) => events));
  }
}
