import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { expect } from 'vitest';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly message: { readonly type: string; readonly timestamp: string; readonly data: Record<string, unknown> };
}

/** A receiver of messages on this machine, which answers as a test wants it to. */
export class Receiver {
  readonly received: Received[] = [];
  /** How a message is answered: by its number, from 0. */
  answer: (response: ServerResponse, number: number) => void = (response) => response.writeHead(204).end();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', async (request, response) => {
      const body = await text(request);
      const { url: path = '', headers } = request;
      receiver.received.push({ path, headers, body, message: JSON.parse(body) });
      receiver.answer(response, receiver.received.length - 1);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  get types(): string[] {
    return this.received.map(({ message }) => message.type);
  }

  /** The signature is checked by the library that receivers use. */
  verify(secret: string, { body, headers }: Received): void {
    expect(() => new Webhook(secret).verify(body, headers as Record<string, string>)).not.toThrow();
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
