import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { JsonObject } from '../workload/answers.ts';
import type { Random } from '../workload/random.ts';
import type { Told } from './journal.ts';

/** How often a message is not received while faults last: it is answered 503, or its connection is closed before or after it was noted. */
const FAILS = 0.25;

/** A receiver of webhooks that fails now and then. */
export class Receiver {
  /** It receives everything from now on. */
  isCalm = false;
  readonly #told: Told[];
  readonly #random: Random;
  readonly #server: Server;

  private constructor(told: Told[], random: Random, server: Server) {
    this.#told = told;
    this.#random = random;
    this.#server = server;
  }

  /** @param told gets what was received. */
  static async start(told: Told[], random: Random): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(told, random, server);
    server.on('request', async (request, response) => {
      const body = await text(request).catch(() => null);
      if (body !== null) receiver.#receive(decodeURIComponent((request.url ?? '').slice(1)), body, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  /** The URL of the webhook of a tenant. */
  urlFor(tenant: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${encodeURIComponent(tenant)}`;
  }

  #receive(tenant: string, body: string, response: ServerResponse): void {
    const fails = !this.isCalm && this.#random.chance(FAILS);
    // one whose answer is lost was received, and comes again
    const isLost = fails && this.#random.chance(0.3);
    if (!fails || isLost) {
      const { type, data } = JSON.parse(body) as { type: string; data: JsonObject };
      this.#told.push({ tenant, type, id: String(data.batchId ?? data.importId) });
    }
    if (isLost) response.destroy();
    else response.writeHead(fails ? 503 : 204).end();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
