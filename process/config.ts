import { z } from 'zod';
import { readTemporalEnvironment, TEMPORAL_VARIABLES, type TemporalEnvironment } from './temporal-environment.ts';

/**
 * Every value that an operator can set, read once from the environment. Defaults suit one machine; `.env.example` lists them.
 * An empty variable is an absent one.
 */
const positiveInteger = z.coerce.number().int().positive();

const PAYLOAD_KEY_BYTES = 32;

function readKeys(text: string, ctx: z.RefinementCtx): Uint8Array[] {
  const keys = text.split(',').map((key) => Buffer.from(key.trim(), 'base64'));
  if (keys.every((key) => key.byteLength === PAYLOAD_KEY_BYTES)) return keys;
  ctx.addIssue({
    code: 'custom',
    message: `must be keys of ${PAYLOAD_KEY_BYTES} bytes in base64, separated by commas`,
  });
  return z.NEVER;
}

const schema = z.object({
  NODE_ENV: z.string().default('development'),
  /** Address that the API listens on. */
  HOST: z.string().default('127.0.0.1'),
  /** Port that the API listens on; 0 lets the system choose. */
  PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  MONGODB_URI: z.string().optional(),
  MONGODB_DATABASE: z.string().default('drover'),
  TEMPORAL_ADDRESS: z.string().optional(),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_TASK_QUEUE: z.string().default('drover'),
  /** Address of the Temporal UI, to which the dashboard links; `npm start` has its own. */
  TEMPORAL_UI_URL: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
  /** Where `npm start` keeps the data of the embedded servers. */
  DROVER_DATA_DIR: z.string().default('.drover'),
  /** Resources that one activity applies; absent: chosen by the size of the batch. 1 = strictly one activity a resource. */
  RESOURCES_PER_ACTIVITY: positiveInteger.optional(),
  /**
   * Activities of one worker that write resources at a time: enough to use the time of waiting for MongoDB. More would only delay each
   * other, and status queries, which the same thread answers.
   */
  WRITERS_PER_WORKER: positiveInteger.default(4),
  /**
   * The tasks that a worker takes from the task queue. If there are workers of both kinds, those of workflows answer status queries from a
   * thread that writes no resources.
   */
  WORKER_TASKS: z.enum(['all', 'workflows', 'activities']).default('all'),
  /** Processes that `npm start` starts for activities; absent: by the number of cores. 0: everything runs in one process. */
  WORKER_PROCESSES: z.coerce.number().int().min(0).max(64).optional(),
  /**
   * Time limit of an activity that applies items, in seconds. The items of a worker that died continue after that time; a command that MongoDB does
   * not answer within a third of it is repeated.
   */
  ACTIVITY_TIMEOUT_SECONDS: z.coerce.number().int().min(4).max(600).default(20),
  /** Secret that bearer tokens are signed with (HS256). Neither this nor `JWKS_URL`: no tokens, and loopback only. */
  JWT_SECRET: z.string().optional(),
  /** URL of the public keys with which bearer tokens are signed (RS256, PS256, ES256, EdDSA and similar). */
  JWKS_URL: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
  /** The `iss` that a token must have; absent: any. */
  JWT_ISSUER: z.string().optional(),
  /** The `aud` that a token must have; absent: any. */
  JWT_AUDIENCE: z.string().optional(),
  /** Largest request body, in bytes. */
  BODY_LIMIT_BYTES: positiveInteger.default(16_777_216),
  /** Bytes of request bodies that an API process holds at a time, including those that are being received; beyond it the answer is 429. */
  MAX_BODY_BYTES_IN_FLIGHT: positiveInteger.default(134_217_728),
  /** The part of them that one tenant may hold, and never more than is left free for others; beyond it the answer is 429. */
  MAX_BODY_BYTES_PER_TENANT: positiveInteger.default(67_108_864),
  /** Bytes a second in which a body has to arrive, over 5 s; a slower body is a 408. 0: no minimum. */
  MIN_BODY_BYTES_PER_SECOND: z.coerce.number().int().min(0).default(4_096),
  /** Requests of one tenant that an API process answers at a time; beyond it the answer is 429. */
  MAX_REQUESTS_PER_TENANT: positiveInteger.default(1_000),
  /** Event streams of one tenant that an API process keeps open at a time, beside its requests; beyond it the answer is 429. */
  MAX_EVENT_STREAMS_PER_TENANT: positiveInteger.default(1_000),
  /** Connections that an API process keeps open at a time; further ones are closed at once. */
  MAX_CONNECTIONS: positiveInteger.default(5_000),
  /** Token that `/metrics` requires; absent: none. */
  METRICS_TOKEN: z.string().optional(),
  /** Address on which a worker serves its metrics, for example `127.0.0.1:9464`; absent: it serves none. */
  WORKER_METRICS_ADDRESS: z
    .string()
    .regex(
      /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]):\d{1,5}$/i,
      'must be an IP address and a port, such as 127.0.0.1:9464',
    )
    .optional(),
  /**
   * Memory that deciding deletes, dry runs included, may take in one process at a time, in bytes: some 150 for each resource to
   * delete that has references to or from other ones, and 12 for each of these references.
   */
  DELETION_MEMORY_BYTES: positiveInteger.default(1_073_741_824),
  /** Seconds in which a caller has to send its request, with its body. */
  REQUEST_TIMEOUT_SECONDS: positiveInteger.default(60),
  /** Largest import, in bytes of its unpacked content. */
  IMPORT_MAX_BYTES: positiveInteger.default(10_737_418_240),
  /** Batches of one import that run at a time; those that only wait for missing references do not count. */
  IMPORT_WINDOW: z.coerce.number().int().min(1).max(100).default(8),
  /** Days that a finished batch is kept; 0 keeps it for ever. */
  BATCH_RETENTION_DAYS: z.coerce.number().int().min(0).default(30),
  /** Camunda façade: items of one activity (job) of a deletion of process instances. */
  CAMUNDA_INVOCATIONS_PER_BATCH_JOB: positiveInteger.default(1),
  /** Camunda façade: activities (jobs) that a deletion of process instances plans at a time. */
  CAMUNDA_BATCH_JOBS_PER_SEED: positiveInteger.default(100),
  /** Camunda façade: seconds that an execution has to end after a cancellation request; then it is terminated. */
  CAMUNDA_TERMINATION_GRACE_SECONDS: z.coerce.number().int().min(0).default(10),
  /**
   * Keys with which payloads in Temporal are encrypted: 32 bytes each, base64, separated by commas. The first one encrypts, all
   * decrypt; absent: nothing is encrypted.
   */
  DROVER_PAYLOAD_KEY: z.string().transform(readKeys).optional(),
  /**
   * Keys with which the secrets of webhooks are encrypted in MongoDB, of the same form; absent: none is, and in production no webhook can be created.
   */
  DROVER_WEBHOOK_KEY: z.string().transform(readKeys).optional(),
  /** Whether webhooks may be delivered to private, link-local and loopback addresses. */
  WEBHOOK_ALLOW_PRIVATE: z
    .enum(['true', 'false'])
    .default('false')
    .transform((value) => value === 'true'),
  /** Base URL of a collector of OpenTelemetry, to which traces are sent (OTLP over HTTP); absent: nothing is traced. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
  /** Beginning of the names of services in traces. */
  OTEL_SERVICE_NAME: z.string().default('drover'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

export type Config = z.infer<typeof schema> & {
  /** TLS, API key and headers of the connection to Temporal, by the variables and profiles that its SDK defines. */
  readonly temporalConnection: TemporalEnvironment['connection'];
};

/**
 * Every variable that is read: those of Drover, those that Temporal's SDK defines, and the folder of `npm start`'s cache.
 * @internal exported for tests, which compare with it
 */
export const VARIABLES: readonly string[] = [...Object.keys(schema.shape), ...TEMPORAL_VARIABLES, 'DROVER_CACHE_DIR'];

/** Thrown if a variable is invalid; the message names each variable on one line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the configuration.
 * @throws ConfigError naming every invalid variable, or a server address that production needs.
 */
export function loadConfig(environment: Record<string, string | undefined> = process.env): Config {
  const present = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const temporal = temporalEnvironment(present);
  const parsed = schema.safeParse({
    ...present,
    // a profile has both, and a variable overrides a profile
    ...(temporal.address !== undefined && { TEMPORAL_ADDRESS: temporal.address }),
    ...(temporal.namespace !== undefined && { TEMPORAL_NAMESPACE: temporal.namespace }),
  });
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  }
  const config = { ...parsed.data, temporalConnection: temporal.connection };
  checkTokens(config);
  checkSeeds(config);
  checkBodyLimits(config);
  if (config.NODE_ENV === 'production') {
    const missing = (['MONGODB_URI', 'TEMPORAL_ADDRESS'] as const).filter((name) => config[name] === undefined);
    if (missing.length > 0) throw new ConfigError(`${missing.join(' and ')} must be set when NODE_ENV is production`);
  }
  return config;
}

function temporalEnvironment(present: Record<string, string | undefined>): TemporalEnvironment {
  try {
    return readTemporalEnvironment(present);
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error));
  }
}

/** Most items that are planned at a time: their indexes go through Temporal, which accepts 2 MB at once. */
const MAX_ITEMS_PER_SEED = 100_000;

function checkSeeds({ CAMUNDA_INVOCATIONS_PER_BATCH_JOB: items, CAMUNDA_BATCH_JOBS_PER_SEED: jobs }: Config): void {
  if (items * jobs <= MAX_ITEMS_PER_SEED) return;
  throw new ConfigError(
    `CAMUNDA_INVOCATIONS_PER_BATCH_JOB times CAMUNDA_BATCH_JOBS_PER_SEED must be at most ${MAX_ITEMS_PER_SEED}`,
  );
}

/** A body of the largest accepted size has to fit into the share of its tenant while no other tenant sends. */
function checkBodyLimits(config: Config): void {
  const { BODY_LIMIT_BYTES: limit, MAX_BODY_BYTES_IN_FLIGHT: all, MAX_BODY_BYTES_PER_TENANT: share } = config;
  if (limit > share) throw new ConfigError('MAX_BODY_BYTES_PER_TENANT must be at least BODY_LIMIT_BYTES');
  if (2 * limit > all) throw new ConfigError('MAX_BODY_BYTES_IN_FLIGHT must be at least twice BODY_LIMIT_BYTES');
}

/** Shortest secret for HS256, in bytes: as long as its hash (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32;

/** A secret of fewer different bytes is not random: 32 random hexadecimal digits hardly ever have so few. */
const MIN_DIFFERENT_BYTES = 8;

/** Whether the secret is too short for HS256, or obviously not random. */
export function isWeakSecret({ JWT_SECRET: secret }: Pick<Config, 'JWT_SECRET'>): boolean {
  if (secret === undefined) return false;
  const bytes = Buffer.from(secret);
  return bytes.byteLength < MIN_SECRET_BYTES || new Set(bytes).size < MIN_DIFFERENT_BYTES;
}

/** The requirement for a secret if callers on other machines may try to guess it. */
export const STRONG_SECRET = `must have at least ${MIN_SECRET_BYTES} bytes, ${MIN_DIFFERENT_BYTES} of them different`;

function checkTokens(config: Config): void {
  if (config.JWT_SECRET !== undefined && config.JWKS_URL !== undefined) {
    throw new ConfigError('JWT_SECRET and JWKS_URL exclude each other: set one of them');
  }
  if (config.NODE_ENV === 'production' && isWeakSecret(config)) {
    throw new ConfigError(`JWT_SECRET: ${STRONG_SECRET}, when NODE_ENV is production`);
  }
}
