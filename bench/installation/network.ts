import { fileURLToPath } from 'node:url';
import type { ServerAddresses } from '../../testkit/installation.ts';
import { node, Program } from '../../testkit/program.ts';

/** A network with some delay between a Drover's processes and its servers. */
export interface Network {
  readonly addresses: ServerAddresses;
  /** What it adds to a round trip of one byte, measured when nothing else was under way, in ms. */
  readonly addedMs: number;
  /** Of its own. */
  readonly process: Program;
  stop(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL('../../testkit/delay-line-process.ts', import.meta.url));

/**
 * @param roundTripMs delay of a round trip, half of it each way.
 * @throws where the servers have no address that something could stand before.
 */
export async function startNetwork(servers: ServerAddresses, roundTripMs: number): Promise<Network> {
  const mongodb = mongodbHost(servers.mongodbUri);
  const process = await Program.start({
    name: 'network',
    command: node(SCRIPT),
    environment: { ROUND_TRIP_MS: String(roundTripMs), SERVERS: `${mongodb} ${servers.temporalAddress}` },
    ready: /^ready (.+)$/,
  });
  const [addedMs = Number.NaN, mongodbPort, temporalPort] = process.ready.split(' ').map(Number);
  return {
    addresses: {
      mongodbUri: direct(servers.mongodbUri.replace(mongodb, `127.0.0.1:${mongodbPort}`)),
      temporalAddress: `127.0.0.1:${temporalPort}`,
    },
    addedMs,
    process,
    stop: () => process.stop(),
  };
}

/** The one server of a URI, as `host:port` with the port that it has to name. @throws where it names several, or none by address. */
export function mongodbHost(uri: string): string {
  const [, host] = /^mongodb:\/\/(?:[^@/]*@)?([^,@/?]+:\d+)(?:[/?]|$)/.exec(uri) ?? [];
  if (host === undefined)
    throw new Error('a proxy can stand before MongoDB only where its URI is mongodb:// with one host and its port');
  return host;
}

/** Otherwise the driver would go to the address that the server says it has. */
export function direct(uri: string): string {
  if (uri.includes('directConnection=')) return uri;
  if (uri.includes('?')) return `${uri}&directConnection=true`;
  return /^mongodb:\/\/[^/]+\//.test(uri) ? `${uri}?directConnection=true` : `${uri}/?directConnection=true`;
}
