import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Drover } from '../../../test/harness/drover.ts';

/** A Drover on a port, whose answers can be held back. */
export class Served {
  readonly url: string;
  readonly #server: Server;
  #holds: ((request: Request) => boolean) | null = null;
  #reach = (): void => undefined;
  #seen: (request: Request) => void = () => undefined;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start({ app }: Pick<Drover, 'app'>): Promise<Served> {
    const on: { served?: Served } = {};
    const fetch = async (request: Request): Promise<Response> => {
      on.served?.see(request);
      if (on.served?.isHeld(request)) await new Promise<never>(() => undefined);
      return app.fetch(request);
    };
    const server = createAdaptorServer({ fetch }) as Server;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    on.served = new Served(server);
    return on.served;
  }

  /** Requests from the nth on that match are never answered, until `release`. @returns resolves when the first one is held. */
  holdFrom(nth: number, method: string, path: RegExp): Promise<void> {
    let left = nth;
    const reached = new Promise<void>((resolve) => (this.#reach = resolve));
    this.#holds = (request) => {
      if (request.method !== method || !path.test(new URL(request.url).pathname)) return false;
      left -= 1;
      return left <= 0;
    };
    return reached;
  }

  see(request: Request): void {
    this.#seen(request);
  }

  /** Counts requests from now on. @returns how many have come. */
  count(method: string, path: RegExp): () => number {
    let count = 0;
    this.#seen = (request) => {
      if (request.method === method && path.test(new URL(request.url).pathname)) count += 1;
    };
    return () => count;
  }

  release(): void {
    this.#holds = null;
  }

  isHeld(request: Request): boolean {
    const isHeld = this.#holds?.(request) === true;
    if (isHeld) this.#reach();
    return isHeld;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
