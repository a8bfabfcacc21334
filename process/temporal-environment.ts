import { existsSync } from 'node:fs';
import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';

/** The connection settings of Temporal's own environment configuration. */
export interface TemporalEnvironment {
  readonly address?: string;
  readonly namespace?: string;
  readonly connection: Pick<ClientConnectConfig['connectionOptions'], 'tls' | 'apiKey' | 'metadata'>;
}

/**
 * Variables that the Temporal SDK defines (beside those for address and namespace). There are also `TEMPORAL_GRPC_META_*`, one for
 * each header.
 */
export const TEMPORAL_VARIABLES = [
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
  'TEMPORAL_TLS_SERVER_NAME',
  'TEMPORAL_CONFIG_FILE',
  'TEMPORAL_PROFILE',
] as const;

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads the environment as the Temporal SDK does, profiles of its configuration file included, and refuses values that the SDK would silently ignore,
 * to the disadvantage of the operator. Without a configured address or profile, nothing is used: an
 * embedded server must not receive the key of another server.
 *
 * @param present the environment without empty variables: to the SDK an empty `TEMPORAL_TLS` means no TLS.
 * @throws Error in one line, naming the variable.
 */
export function readTemporalEnvironment(present: Variables): TemporalEnvironment {
  const { TEMPORAL_ADDRESS, TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE, TEMPORAL_TLS } = present;
  if (!TEMPORAL_ADDRESS && !TEMPORAL_PROFILE && !TEMPORAL_CONFIG_FILE) return { connection: {} };
  // the SDK interprets any value except the first two as no TLS
  if (TEMPORAL_TLS !== undefined && !['true', '1', 'false', '0'].includes(TEMPORAL_TLS)) {
    throw new Error('TEMPORAL_TLS: must be true or false');
  }
  if (TEMPORAL_CONFIG_FILE !== undefined && !existsSync(TEMPORAL_CONFIG_FILE)) {
    throw new Error(`TEMPORAL_CONFIG_FILE: there is no file ${TEMPORAL_CONFIG_FILE}`);
  }
  const { namespace, connectionOptions } = load(present);
  const { address, tls, apiKey, metadata } = connectionOptions;
  checkSecrets(present, connectionOptions);
  return {
    ...(address !== undefined && { address }),
    ...(namespace !== undefined && { namespace }),
    connection: {
      ...(tls !== undefined && tls !== null && { tls }),
      ...(apiKey !== undefined && { apiKey }),
      ...(metadata !== undefined && { metadata }),
    },
  };
}

function load(present: Variables): ClientConnectConfig {
  try {
    const set = Object.entries(present).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    return loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(set) });
  } catch (error) {
    throw new Error(`Temporal's configuration: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
  }
}

function checkSecrets(present: Variables, { tls, apiKey, metadata }: ClientConnectConfig['connectionOptions']): void {
  const hasKey = apiKey !== undefined || (metadata !== undefined && 'authorization' in metadata);
  if (hasKey && !tls) {
    throw new Error('TEMPORAL_API_KEY: would be sent in the clear: set TEMPORAL_TLS=true, or leave the key empty');
  }
  const hasOne = (kind: 'CERT' | 'KEY'): boolean =>
    present[`TEMPORAL_TLS_CLIENT_${kind}_PATH`] !== undefined ||
    present[`TEMPORAL_TLS_CLIENT_${kind}_DATA`] !== undefined;
  const hasPair = typeof tls === 'object' && tls?.clientCertPair !== undefined;
  if ((hasOne('CERT') || hasOne('KEY')) && !hasPair) {
    throw new Error('TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH belong together, with TLS');
  }
}
