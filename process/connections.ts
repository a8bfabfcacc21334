import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { type Config, ConfigError } from './config.ts';
import { dataConverter } from './payload-codec.ts';

/** Time that a connection is given to come about, in ms. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Longest wait before a call that failed is tried again within its deadline, in ms: a caller of ours waits no longer than that. */
const MAX_RETRY_DELAY_MS = 400;

/**
 * How a lost connection comes back, in ms. gRPC's own wait between two tries grows to two minutes; a server that was away
 * for long would be back all that time without us.
 */
const RECONNECT = {
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // A server that went without a word is missed after 20 s; asking more often than every 10 s is not allowed.
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

/** The address, with TLS and API key as the configuration has read them. */
function connectionOptions(config: Config) {
  if (config.TEMPORAL_ADDRESS === undefined) throw new ConfigError('TEMPORAL_ADDRESS must be set');
  return { ...config.temporalConnection, address: config.TEMPORAL_ADDRESS };
}

/** Gives a call, with its retries, a deadline where its caller has not: one that covers many calls would have begun before the last. */
function deadlines(timeoutMs: number): Interceptor {
  return (options, next) =>
    new InterceptingCall(next({ ...options, deadline: options.deadline ?? Date.now() + timeoutMs }));
}

/**
 * A client for the namespace; connects when it is first used, so that an API can start before Temporal does. Closed workflows are
 * not asked: of those, the store knows better.
 * @param callTimeoutMs how long each call may take that has no deadline of its own.
 */
export function connectClient(config: Config, callTimeoutMs?: number): Client {
  const connection = Connection.lazy({
    ...connectionOptions(config),
    connectTimeout: CONNECT_TIMEOUT_MS,
    channelArgs: RECONNECT,
    interceptors: callTimeoutMs === undefined ? [retries()] : [deadlines(callTimeoutMs), retries()],
  });
  return new Client({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    workflow: { queryRejectCondition: 'NOT_OPEN' },
    dataConverter: dataConverter(config),
  });
}

/** @throws where Temporal cannot be reached: a worker without it has nothing to do. */
export async function connectNative(config: Config): Promise<NativeConnection> {
  return NativeConnection.connect(connectionOptions(config));
}
