import { InterceptingCall, type Interceptor, Metadata, status } from '@grpc/grpc-js';
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { OpenTelemetryWorkflowClientInterceptor } from '@temporalio/interceptors-opentelemetry/lib/client/index.js';
import { NativeConnection } from '@temporalio/worker';
import { type Config, ConfigError } from './config.ts';
import { dataConverter } from './payload-codec.ts';
import { isTraced } from './telemetry.ts';

/** Timeout of making a connection, in ms. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Longest pause before a failed call is repeated within its deadline, in ms: a caller waits no longer than that. */
const MAX_RETRY_DELAY_MS = 400;

/**
 * Intervals between attempts to restore a lost connection, in ms. gRPC's own interval grows to two minutes, so after a long outage
 * Drover would stay disconnected for up to that time.
 */
const RECONNECT = {
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // A server that vanished without closing the connection is noticed after 20 s; a check more often than every 10 s is not allowed.
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.keepalive_time_ms': 15_000,
  'grpc.keepalive_timeout_ms': 5_000,
};

function retries() {
  const { delayFunction, retryableDecider } = defaultGrpcRetryOptions();
  return makeGrpcRetryInterceptor({
    retryableDecider,
    delayFunction: (attempt, status) => Math.min(MAX_RETRY_DELAY_MS, delayFunction(attempt, status)),
  });
}

/**
 * A call that is to be repeated when the connection has been closed ends as cancelled: gRPC throws then, in the timer of the repetition,
 * where nobody can catch it.
 */
const endsWhenClosed: Interceptor = (options, next) => {
  try {
    return new InterceptingCall(next(options));
  } catch {
    const cancelled = { code: status.CANCELLED, details: 'the connection is closed', metadata: new Metadata() };
    return new InterceptingCall({
      start: (_, listener) => listener?.onReceiveStatus?.(cancelled),
      sendMessageWithContext: () => undefined,
      sendMessage: () => undefined,
      startRead: () => undefined,
      halfClose: () => undefined,
      cancelWithStatus: () => undefined,
      getPeer: () => 'closed',
      getAuthContext: () => null,
    });
  }
};

/** The address, with TLS and API key from the configuration. */
function connectionOptions(config: Config) {
  if (config.TEMPORAL_ADDRESS === undefined) throw new ConfigError('TEMPORAL_ADDRESS must be set');
  return { ...config.temporalConnection, address: config.TEMPORAL_ADDRESS };
}

/** Gives a call, with its retries, a deadline if its caller has not: a deadline over many calls would have begun before the last one. */
function deadlines(timeoutMs: number): Interceptor {
  return (options, next) =>
    new InterceptingCall(next({ ...options, deadline: options.deadline ?? Date.now() + timeoutMs }));
}

/**
 * A client for the namespace; it connects when it is first used, so that an API can start before Temporal does. Closed workflows are
 * not queried: the store has their results.
 * @param callTimeoutMs timeout of each call that has no deadline of its own.
 */
export function connectClient(config: Config, callTimeoutMs?: number): Client {
  const connection = Connection.lazy({
    ...connectionOptions(config),
    connectTimeout: CONNECT_TIMEOUT_MS,
    channelArgs: RECONNECT,
    interceptors:
      callTimeoutMs === undefined ? [retries(), endsWhenClosed] : [deadlines(callTimeoutMs), retries(), endsWhenClosed],
  });
  return new Client({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    workflow: { queryRejectCondition: 'NOT_OPEN' },
    ...(isTraced(config) && { interceptors: { workflow: [new OpenTelemetryWorkflowClientInterceptor()] } }),
    dataConverter: dataConverter(config),
  });
}

/** @throws if Temporal cannot be reached: a worker cannot work without it. */
export async function connectNative(config: Config): Promise<NativeConnection> {
  return NativeConnection.connect(connectionOptions(config));
}
