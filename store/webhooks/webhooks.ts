import type { Collection } from 'mongodb';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { COUNT_LIMIT, type Total, totalOf } from '../../domain/batch/total.ts';
import type { WebhookEvent } from '../../domain/webhooks/webhook.ts';
import type { Database } from '../mongodb/database.ts';

/** A secret, encrypted (`SecretBox`); one that has been replaced signs until then. */
interface StoredSecret {
  sealed: string;
  until?: Date;
}

/** An address of a tenant that is told of events. */
export interface WebhookDocument {
  /** UUID version 7, so that ids are in order of creation. */
  _id: string;
  /** `platform/tenant`, escaped. */
  scope: string;
  url: string;
  /** It was created for an address of this machine, where no tokens were configured. */
  isLoopback?: true;
  events: WebhookEvent[];
  description?: string;
  /** The present one first. */
  secrets: StoredSecret[];
  /** Nothing is sent any more. */
  disabledAt?: Date;
  disabledReason?: string;
  createdBy?: string;
  createdAt: Date;
  updatedAt: Date;
}

/** The collection `webhooks`. */
const webhooksIn = (database: Database): Collection<WebhookDocument> => database.collection('webhooks');

export async function insertWebhook(database: Database, webhook: WebhookDocument): Promise<void> {
  await webhooksIn(database).insertOne(webhook);
}

export async function countWebhooks(database: Database, scope: Scope): Promise<number> {
  return webhooksIn(database).countDocuments({ scope: scopeKey(scope) }, { limit: COUNT_LIMIT });
}

/** A webhook of this tenant; one of another tenant is not found (invariant 6). */
export async function findWebhook(database: Database, scope: Scope, id: string): Promise<WebhookDocument | null> {
  return webhooksIn(database).findOne({ _id: id, scope: scopeKey(scope) });
}

/** A webhook by its id alone, for whoever delivers to it. */
export async function readWebhook(database: Database, id: string): Promise<WebhookDocument | null> {
  return webhooksIn(database).findOne({ _id: id });
}

/** The webhooks of a tenant that are told of something: at most as many as a tenant may have. @param scope escaped. */
export async function enabledWebhooks(database: Database, scope: string): Promise<WebhookDocument[]> {
  return webhooksIn(database)
    .find({ scope, disabledAt: { $exists: false } })
    .toArray();
}

export async function listWebhooks(
  database: Database,
  scope: Scope,
  page: { readonly after: string | null; readonly limit: number },
): Promise<{ webhooks: WebhookDocument[]; total: Total; next: string | null }> {
  const query = { scope: scopeKey(scope) };
  const [found, counted] = await Promise.all([
    webhooksIn(database)
      .find({ ...query, ...(page.after !== null && { _id: { $lt: page.after } }) })
      .sort({ _id: -1 })
      .limit(page.limit + 1)
      .toArray(),
    webhooksIn(database).countDocuments(query, { limit: COUNT_LIMIT }),
  ]);
  const webhooks = found.slice(0, page.limit);
  return { webhooks, total: totalOf(counted), next: found.length > page.limit ? (webhooks.at(-1)?._id ?? null) : null };
}

type Changes = Partial<Pick<WebhookDocument, 'url' | 'events' | 'description'>> & {
  readonly isLoopback?: boolean;
  readonly disabled?: boolean;
};

/** Changes what is given. @returns null if it does not exist (any more). */
export async function changeWebhook(
  database: Database,
  scope: Scope,
  id: string,
  { isLoopback, disabled, ...changes }: Changes,
): Promise<WebhookDocument | null> {
  const now = new Date();
  const $set = {
    ...changes,
    updatedAt: now,
    ...(isLoopback && { isLoopback: true as const }),
    ...(disabled && { disabledAt: now, disabledReason: 'by a caller' }),
  };
  const $unset = {
    ...(isLoopback === false && { isLoopback: '' as const }),
    ...(disabled === false && { disabledAt: '' as const, disabledReason: '' as const }),
  };
  return webhooksIn(database).findOneAndUpdate(
    { _id: id, scope: scopeKey(scope) },
    { $set, ...(Object.keys($unset).length > 0 && { $unset }) },
    { returnDocument: 'after' },
  );
}

/** Puts other secrets in the place of those that were read: of two that rotate at once, one does. @returns null if they have changed. */
export async function replaceSecrets(
  database: Database,
  { _id, secrets }: Pick<WebhookDocument, '_id' | 'secrets'>,
  replaced: StoredSecret[],
): Promise<WebhookDocument | null> {
  return webhooksIn(database).findOneAndUpdate(
    { _id, 'secrets.0.sealed': secrets[0]?.sealed ?? '' },
    { $set: { secrets: replaced, updatedAt: new Date() } },
    { returnDocument: 'after' },
  );
}

/** Its receiver does not want to be told any more. Without effect on one that was changed since it was read: that may be another receiver. */
export async function disableWebhook(
  database: Database,
  { _id, url }: Pick<WebhookDocument, '_id' | 'url'>,
  reason: string,
): Promise<boolean> {
  const now = new Date();
  const { modifiedCount } = await webhooksIn(database).updateOne(
    { _id, url, disabledAt: { $exists: false } },
    { $set: { disabledAt: now, disabledReason: reason, updatedAt: now } },
  );
  return modifiedCount === 1;
}

/** @returns false if it did not exist. */
export async function removeWebhook(database: Database, scope: Scope, id: string): Promise<boolean> {
  return (await webhooksIn(database).deleteOne({ _id: id, scope: scopeKey(scope) })).deletedCount === 1;
}
