import { once } from 'node:events';
import type { Server, ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Logger } from 'pino';
import { SharedMemory } from '../domain/collections/shared-memory.ts';
import { MAX_HEAD_BYTES, MAX_HEADERS_MS, MAX_IDLE_MS } from '../domain/limits.ts';
import { type Config, ConfigError, isWeakSecret } from '../process/config.ts';
import { connectClient } from '../process/connections.ts';
import { startTelemetry } from '../process/telemetry.ts';
import { Confirmations } from '../services/batches/confirmations.ts';
import { SchemaCatalog } from '../services/definitions/schema-catalog.ts';
import { MemoryAllowance } from '../services/deletes/memory-allowance.ts';
import { SecretBox } from '../services/webhooks/secret-box.ts';
import { createSemaphore } from '../services/writes/semaphore.ts';
import { moveNamespaceBatchesAtLast } from '../store/migrations/namespace-batches.ts';
import { connectDatabase } from '../store/mongodb/database.ts';
import { createIndexesAtLast } from '../store/mongodb/indexes.ts';
import { serverKey } from '../store/server-keys.ts';
import { createApp } from './app.ts';
import { readDashboard } from './dashboard/files.ts';
import type { Services } from './http/context.ts';
import { CURSOR_KEY_PURPOSE, Cursors } from './http/cursors.ts';
import { assertSafeAddress } from './middleware/loopback.ts';
import { assertAwaited } from './middleware/outage.ts';
import { tokenVerifier } from './middleware/tokens.ts';
import { BatchEvents, ImportEvents } from './state/batch-events.ts';
import { Health } from './state/health.ts';
import { LoadLimits } from './state/load-limits.ts';
import { Metrics } from './state/metrics.ts';
import { StartReadiness } from './state/start-readiness.ts';

/** Longest wait for one MongoDB command of a request, in ms. Whether MongoDB is available at all is known earlier. */
const MONGODB_TIMEOUT_MS = 20_000;
/** Timeout of each call to Temporal, in ms: a caller gets its 503 within 5 s. */
const TEMPORAL_TIMEOUT_MS = 4_000;
/** Time for running requests to end when the server stops, in ms. */
const DRAIN_MS = 10_000;
/** Dry runs of uploads and patches that are decided at a time; each may hold as much in memory as one activity does. */
const PREVIEWS_AT_ONCE = 4;
/** Memory that rows and outcomes which are read for answers may hold, in bytes. */
const ROW_MEMORY_BYTES = 256 * 1024 * 1024;
/** Of these, places that one tenant may hold: one that sends many long ones leaves a place to the others. */
const PREVIEWS_OF_TENANT = 3;
const CLOSE_IDLE_EVERY_MS = 50;
/** Longest time until a connection above its time limit is noticed, in ms. */
const MAX_CHECK_MS = 2_000;

export interface RunningApi {
  readonly url: string;
  /** Accepts no more requests, lets running ones finish, and closes what it had opened. */
  stop(): Promise<void>;
}

/**
 * Creates the services; connections are made when they are first used.
 * @internal exported for tests, which open an API without its socket
 */
export async function openServices(config: Config, logger: Logger): Promise<Services & { close(): Promise<void> }> {
  if (config.MONGODB_URI === undefined) throw new ConfigError('MONGODB_URI must be set');
  const telemetry = await startTelemetry(config, 'api');
  const database = await connectDatabase(config.MONGODB_URI, config.MONGODB_DATABASE, {
    socketTimeoutMS: MONGODB_TIMEOUT_MS,
    // each write inserts an id of its own or names what it changes: it takes effect once, even if the driver sends it again
    retryWrites: true,
    isTraced: telemetry !== null,
    beforeCommand: assertAwaited,
  });
  const client = connectClient(config, TEMPORAL_TIMEOUT_MS);
  const events = new BatchEvents({ database, client });
  const importEvents = new ImportEvents({ database, client });
  const load = new LoadLimits(config);
  const schemas = new SchemaCatalog(database);
  const health = new Health({ database, client });
  const startReadiness = new StartReadiness({ client, taskQueue: config.TEMPORAL_TASK_QUEUE, logger });
  const confirmations = new Confirmations({ database, logger });
  return {
    config,
    database,
    client,
    logger,
    taskQueue: config.TEMPORAL_TASK_QUEUE,
    activityTimeoutSeconds: config.ACTIVITY_TIMEOUT_SECONDS,
    importWindow: config.IMPORT_WINDOW,
    schemas,
    cursors: new Cursors(() => serverKey(database, CURSOR_KEY_PURPOSE)),
    webhookSecrets: new SecretBox({ keys: config.DROVER_WEBHOOK_KEY, isProduction: config.NODE_ENV === 'production' }),
    planningMemory: new MemoryAllowance(config.DELETION_MEMORY_BYTES),
    rowMemory: new SharedMemory(ROW_MEMORY_BYTES),
    previews: createSemaphore(PREVIEWS_AT_ONCE, PREVIEWS_OF_TENANT),
    events,
    importEvents,
    health,
    load,
    metrics: new Metrics({
      bodyBytes: () => load.bodyBytes,
      watchedBatches: () => events.watched + importEvents.watched,
    }),
    verifyToken: tokenVerifier(config),
    startReadiness,
    confirmations,
    isTemporalThere: () => health.isTemporalThere(),
    assertStarts: async () => {
      await health.assertTemporal();
      await startReadiness.assertStarts();
    },
    startFailed: (error) => startReadiness.startFailed(error),
    close: async () => {
      await confirmations.flush();
      await schemas.threads.close();
      await client.connection.close();
      await database.close();
      await telemetry?.flush();
    },
  };
}

/**
 * Starts the API on configured servers. It serves at once; requests are answered 503 while a server is unavailable.
 * @param dashboard folder of the built dashboard; null: it is not served.
 * @throws ConfigError if it would listen on a network address without tokens; an error if the port is taken.
 */
export async function startApi(config: Config, logger: Logger, dashboard: string | null = null): Promise<RunningApi> {
  assertSafeAddress(config);
  warnOfOpenDoors(config, logger);
  const services = await openServices(config, logger);
  const stopped = new AbortController();
  void createIndexesAtLast(services.database, logger, stopped.signal);
  void moveNamespaceBatchesAtLast(services.database, logger, stopped.signal);
  services.metrics.watchProcess();
  const app = createApp(services, dashboard === null ? null : await readDashboard(dashboard));
  const server = createAdaptorServer({ fetch: app.fetch, serverOptions: socketLimits(config) }) as Server;
  server.maxConnections = config.MAX_CONNECTIONS;
  server.timeout = MAX_IDLE_MS;
  server.listen(config.PORT, config.HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  return {
    url: `http://${host}:${port}`,
    stop: async () => {
      stopped.abort();
      const closed = once(server, 'close');
      server.close();
      services.events.stop();
      services.importEvents.stop();
      // Clients keep their connections open: each is closed when its last request is answered.
      const idle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
      const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await closed;
      clearInterval(idle);
      clearTimeout(late);
      await services.close();
    },
  };
}

/** Limits of one connection: a caller that sends byte by byte is disconnected after a while. */
function socketLimits({ REQUEST_TIMEOUT_SECONDS }: Config): ServerOptions {
  const requestTimeout = REQUEST_TIMEOUT_SECONDS * 1000;
  return {
    maxHeaderSize: MAX_HEAD_BYTES,
    // `limitTime` limits the time of each request
    requestTimeout: 0,
    headersTimeout: Math.min(MAX_HEADERS_MS, requestTimeout),
    connectionsCheckingInterval: Math.min(MAX_CHECK_MS, requestTimeout / 2),
  };
}

/** First release line of Node whose hash of strings is safe against chosen keys; earlier ones are past their end of life. */
const FIRST_SUPPORTED_NODE = 22;

/** Logs what an operator should know of access to the API. */
function warnOfOpenDoors(config: Config, logger: Logger): void {
  if (Number.parseInt(process.versions.node, 10) < FIRST_SUPPORTED_NODE) {
    logger.warn(
      { node: process.version },
      `this line of Node is past its end of life, and a caller that chooses its ids can keep it busy: run ${FIRST_SUPPORTED_NODE} or 24`,
    );
  }
  const { JWT_SECRET, JWKS_URL, JWT_ISSUER, JWT_AUDIENCE } = config;
  if (JWT_SECRET === undefined && JWKS_URL === undefined) {
    logger.warn('no tokens are configured: only this machine is served, and everybody on it may do everything');
  }
  if (isWeakSecret(config)) logger.warn('JWT_SECRET is weak: a caller that has one token can guess it');
  if (JWKS_URL !== undefined && (JWT_ISSUER === undefined || JWT_AUDIENCE === undefined)) {
    logger.warn('JWT_ISSUER or JWT_AUDIENCE is not set: tokens made for others are accepted');
  }
}
