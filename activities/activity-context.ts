import type { Logger } from 'pino';
import { RETRY_DELAYS_MS } from '../domain/webhooks/webhook.ts';
import { SchemaCatalog } from '../services/definitions/schema-catalog.ts';
import type { MemoryAllowance } from '../services/deletes/memory-allowance.ts';
import type { StartImportParts } from '../services/imports/start-import.ts';
import type { DeliverParts } from '../services/webhooks/deliver-message.ts';
import { SecretBox } from '../services/webhooks/secret-box.ts';
import { Subscriptions } from '../services/webhooks/subscriptions.ts';
import { createSemaphore, type Semaphore } from '../services/writes/semaphore.ts';
import { RememberedWork } from './write/remembered-work.ts';

/** Moments between two steps of an activity at which a test can stop, delay or kill it. */
export type Checkpoint =
  | 'intent-laid'
  | 'checked'
  | 'registered'
  | 'references-checked'
  | 'claimed'
  | 'inserted'
  | 'written'
  | 'outcomes-stored'
  | 'marked'
  | 'committed'
  | 'target-stored'
  | 'referrers-checked'
  | 'deleted'
  | 'planning'
  | 'finishing'
  | 'cut-noted'
  | 'cut-inserted'
  | 'import-counted'
  | 'ended'
  | 'delivered'
  | 'bulk-slice'
  | 'bulk-acted';

/** The services and settings that activities work with. */
export interface ActivityContext extends StartImportParts {
  readonly logger: Logger;
  /** Days that a finished batch is kept; 0 keeps it for ever. */
  readonly retentionDays: number;
  readonly schemas: SchemaCatalog;
  /** For long computations; the time limit of its activity runs while it waits. */
  readonly semaphore: Semaphore;
  readonly remembered: RememberedWork;
  /** Which events the webhooks of a tenant are told of. */
  readonly subscriptions: Subscriptions;
  /** How messages to webhooks are delivered. */
  readonly webhooks: DeliverParts;
  /** Memory that all plans of deletes, and searches for cycles over the batches of imports, may hold together. */
  readonly planningMemory: MemoryAllowance;
  /** Resources that one activity applies; absent: chosen by the size of the batch. */
  readonly resourcesPerActivity?: number;
  /** Aborted when the worker is asked to stop: long activities end. */
  readonly stopping?: AbortSignal;
  /** Tests only: awaited at each checkpoint of an activity. */
  readonly checkpoint?: (at: Checkpoint, batchId: string) => Promise<void>;
}

/** Without a configuration: secrets are those that were stored without a key. */
const NO_WEBHOOKS: DeliverParts = {
  secrets: new SecretBox({ isProduction: false }),
  allowPrivate: false,
  retryDelaysMs: RETRY_DELAYS_MS,
};

/** @param parts.writersAtOnce default: all. @param parts.importWindow default: one batch at a time. */
export function createActivityContext({
  writersAtOnce = Number.POSITIVE_INFINITY,
  importWindow = 1,
  webhooks = NO_WEBHOOKS,
  ...parts
}: Omit<ActivityContext, 'schemas' | 'semaphore' | 'remembered' | 'importWindow' | 'subscriptions' | 'webhooks'> & {
  readonly webhooks?: DeliverParts;
  readonly writersAtOnce?: number;
  readonly importWindow?: number;
}): ActivityContext {
  return {
    ...parts,
    importWindow,
    webhooks,
    subscriptions: new Subscriptions(parts.database),
    schemas: new SchemaCatalog(parts.database),
    semaphore: createSemaphore(writersAtOnce),
    remembered: new RememberedWork(parts.database),
  };
}
