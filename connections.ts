import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import { type Config, ConfigError } from './config.ts';

/** Time that a connection is given to come about, in ms. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * TLS and API key as the Temporal SDK's own environment configuration names them (`TEMPORAL_TLS`, `TEMPORAL_API_KEY`, profiles),
 * with the address that was checked with the rest of the configuration.
 */
function connectionOptions(config: Config) {
  if (config.TEMPORAL_ADDRESS === undefined) throw new ConfigError('TEMPORAL_ADDRESS must be set');
  const { connectionOptions: fromEnvironment } = loadClientConnectConfig();
  return { ...fromEnvironment, address: config.TEMPORAL_ADDRESS };
}

/** A client for the namespace; connects when it is first used, so that an API can start before Temporal does. */
export function connectClient(config: Config): Client {
  const connection = Connection.lazy({ ...connectionOptions(config), connectTimeout: CONNECT_TIMEOUT_MS });
  return new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
}

/** @throws where Temporal cannot be reached: a worker without it has nothing to do. */
export async function connectNative(config: Config): Promise<NativeConnection> {
  return NativeConnection.connect(connectionOptions(config));
}
