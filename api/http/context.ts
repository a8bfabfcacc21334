import type { Client } from '@temporalio/client';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import type { Scope } from '../../domain/batch/scope.ts';
import type { SharedMemory } from '../../domain/collections/shared-memory.ts';
import type { Config } from '../../process/config.ts';
import type { Confirmations } from '../../services/batches/confirmations.ts';
import type { SchemaCatalog } from '../../services/definitions/schema-catalog.ts';
import type { MemoryAllowance } from '../../services/deletes/memory-allowance.ts';
import type { SecretBox } from '../../services/webhooks/secret-box.ts';
import type { Semaphore } from '../../services/writes/semaphore.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { VerifyToken } from '../middleware/tokens.ts';
import type { BatchEvents, ImportEvents } from '../state/batch-events.ts';
import type { Health } from '../state/health.ts';
import type { LoadLimits, RequestLoad } from '../state/load-limits.ts';
import type { Metrics } from '../state/metrics.ts';
import type { RequestTime } from '../state/request-time.ts';
import type { StartReadiness } from '../state/start-readiness.ts';
import type { Cursors } from './cursors.ts';

/** The services that routes use to answer requests. */
export interface Services {
  readonly config: Config;
  readonly database: Database;
  readonly client: Client;
  readonly logger: Logger;
  readonly taskQueue: string;
  readonly activityTimeoutSeconds: number;
  /** Batches of one import that run at a time. */
  readonly importWindow: number;
  readonly schemas: SchemaCatalog;
  /** Memory that all dry runs of deletes may hold together. */
  readonly planningMemory: MemoryAllowance;
  /** Memory that all rows and outcomes which are read for answers may hold together. */
  readonly rowMemory: SharedMemory;
  /** For dry runs of uploads and patches: a few are decided at a time, tenants in rotation. */
  readonly previews: Semaphore;
  readonly cursors: Cursors;
  /** Encrypts the secrets of webhooks. */
  readonly webhookSecrets: SecretBox;
  readonly events: BatchEvents;
  readonly importEvents: ImportEvents;
  readonly health: Health;
  readonly load: LoadLimits;
  readonly metrics: Metrics;
  /** Null if no tokens are configured. */
  readonly verifyToken: VerifyToken | null;
  readonly startReadiness: StartReadiness;
  readonly confirmations: Confirmations;
  /** Whether Temporal answers, or did a moment ago. */
  isTemporalThere(): Promise<boolean>;
  /** Called before anything is stored that Temporal has to start. @throws if Temporal does not answer, or accepts no starts. */
  assertStarts(): Promise<void>;
  startFailed(error: unknown): void;
}

/** The values that every route finds in its context. */
export interface ApiEnv {
  Variables: {
    services: Services;
    /** The scope of the caller (invariant 6). */
    scope: Scope;
    /** Who the caller is: the `sub` of its token; undefined where it names nobody. */
    createdBy: string | undefined;
    /** Whether the caller may change objects of the platform, and act for any of its tenants. */
    isPlatformScope: boolean;
    /** Whether its Camunda calls act on the whole namespace: those of an operator who names no tenant. */
    actsOnNamespace: boolean;
    requestId: string;
    /** When the request arrived, by `performance.now()`. */
    beganAt: number;
    load: RequestLoad;
    time: RequestTime;
  };
}

export type ApiContext = Context<ApiEnv>;
