import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { mongodbRequests, type Passage, ProxiedConnection, type RequestReader } from './proxied-connection.ts';

/**
 * - `dropAnswer`: the next request goes through, its answer is dropped; then the connection is cut.
 * - `delayRequest`, `delayAnswer`: the next request or answer is delayed. If the sender disconnects meanwhile, it is never delivered.
 * - `landLate`: the next request is delayed for long, and delivered even if its sender has disconnected.
 * - `cut`: half of the next request goes through, then the connection is cut.
 * - `refuse`: every connection is cut, and none is accepted for a while.
 */
export const NETWORK_FAULTS = ['dropAnswer', 'delayRequest', 'delayAnswer', 'landLate', 'cut', 'refuse'] as const;
export type NetworkFault = (typeof NETWORK_FAULTS)[number];

/** A fault, and the request that meets it: the next request that contains all of the texts. */
export interface Aim {
  readonly fault: Exclude<NetworkFault, 'refuse'>;
  readonly ms: number;
  readonly texts: readonly string[];
}

/** A request that was held back: its sender gets no answer. */
export interface HeldRequest {
  /** The request as it was sent. */
  readonly message: Buffer;
  /** Sends it to the server now, whether or not its sender is still connected. @returns the server's answer. */
  deliver(): Promise<Buffer>;
}

interface ProxyOptions {
  /** The server behind the proxy: `host:port` or a URI. With `mongodb://`, whole messages of MongoDB's wire protocol are passed on. */
  readonly to: string;
  /** Port of loopback to listen on. Default: any free port. */
  readonly port?: number;
  /** Name for reports. */
  readonly name?: string;
}

/** Time that a server has to answer a request that lands late, in ms. */
const LANDING_MS = 2_000;

/** A TCP proxy that drops, delays, holds and cuts on request; otherwise it passes everything on. */
export class TcpProxy {
  readonly name: string;
  readonly port: number;
  /** The server's address with this proxy in its place. */
  readonly address: string;
  readonly counts = Object.fromEntries(NETWORK_FAULTS.map((fault) => [fault, 0])) as Record<NetworkFault, number>;
  readonly #listener: Server;
  readonly #connections = new Set<ProxiedConnection>();
  #isHanging = false;
  #isRefusing = false;
  #refusal: NodeJS.Timeout | undefined;
  /** Resolves when it listens again after a refusal. */
  #opened: Promise<unknown> = Promise.resolve();
  #armed: Aim | null = null;
  /** Applied to every request that fits and for which `isMet` returns true. */
  #repeated: { readonly aim: Aim; readonly isMet: () => boolean } | null = null;
  readonly #holds = new Map<(held: HeldRequest) => void, readonly string[]>();
  readonly #watches = new Map<Buffer[], readonly string[]>();

  private constructor(listener: Server, { to, name }: ProxyOptions) {
    const { protocol, hostname, port } = new URL(to.includes('://') ? to : `tcp://${to}`);
    this.#listener = listener;
    this.name = name ?? to;
    this.port = (listener.address() as AddressInfo).port;
    this.address = to.replace(`${hostname}:${port}`, `127.0.0.1:${this.port}`);
    const readerOf = (): RequestReader => (protocol === 'mongodb:' ? mongodbRequests() : (bytes) => [bytes]);
    listener.on('connection', (client) => this.#accept(client, connect(Number(port), hostname), readerOf()));
  }

  static async start(options: ProxyOptions): Promise<TcpProxy> {
    const listener = createServer().listen(options.port ?? 0, '127.0.0.1');
    await once(listener, 'listening');
    return new TcpProxy(listener, options);
  }

  /** The next request that fits, on any connection, meets this fault; an earlier fault that has not met a request is forgotten. */
  arm(aim: Aim): void {
    this.#armed = aim;
  }

  /** Every request that fits and for which `isMet` returns true meets this fault. */
  armForGood(aim: Aim, isMet: () => boolean): void {
    this.#repeated = { aim, isMet };
  }

  /** Holds back the next request that contains all of these texts. */
  hold(...texts: string[]): Promise<HeldRequest> {
    return new Promise((resolve) => this.#holds.set(resolve, texts));
  }

  /** @returns a list; every later request that contains all of these texts is added to it. */
  watch(...texts: string[]): readonly Buffer[] {
    const seen: Buffer[] = [];
    this.#watches.set(seen, texts);
    return seen;
  }

  /** Cuts every connection and accepts none, as if no server listened: for `ms`, or until `pass`. */
  refuse(ms?: number): void {
    this.counts.refuse += 1;
    clearTimeout(this.#refusal);
    // the port may be between two refusals: then there is nothing to close, and the next refusal follows sooner than its callers notice
    if (this.#listener.listening) {
      this.#isRefusing = true;
      this.#listener.close();
    }
    for (const connection of this.#connections) connection.cut();
    if (ms !== undefined) this.#refusal = setTimeout(() => this.#listen(), ms);
  }

  /** Connections are accepted, and nothing is passed on in either direction, until `pass`. */
  hang(): void {
    this.#isHanging = true;
  }

  /** From now on everything passes. Dropped requests stay dropped; a request that was to land late and has not landed is never delivered. */
  async pass(): Promise<void> {
    for (const connection of this.#connections) {
      if (this.#isHanging || connection.isHeld) connection.release();
    }
    this.#isHanging = false;
    this.#armed = null;
    this.#repeated = null;
    clearTimeout(this.#refusal);
    this.#listen();
    await this.#opened;
  }

  async stop(): Promise<void> {
    clearTimeout(this.#refusal);
    await this.#opened;
    const closed = this.#listener.listening ? once(this.#listener, 'close') : null;
    this.#listener.close();
    for (const connection of this.#connections) connection.release();
    await closed;
  }

  #listen(): void {
    if (!this.#isRefusing) return;
    this.#isRefusing = false;
    this.#opened = once(this.#listener, 'listening');
    this.#listener.listen(this.port, '127.0.0.1');
  }

  #accept(client: Socket, server: Socket, reader: RequestReader): void {
    const passRequest: Passage = (connection, request) => this.#passRequest(connection, request);
    const passAnswer: Passage = async (_, bytes) => (this.#isHanging ? null : bytes);
    const connection = new ProxiedConnection(client, server, reader, passRequest, passAnswer);
    this.#connections.add(connection);
    for (const socket of [client, server])
      socket.on('close', () => {
        if (connection.isOver) this.#connections.delete(connection);
      });
  }

  async #passRequest(connection: ProxiedConnection, request: Buffer): Promise<Buffer | null> {
    if (this.#isHanging) return null;
    for (const [seen, texts] of this.#watches) if (fits(request, texts)) seen.push(request);
    for (const [resolve, texts] of this.#holds) {
      if (!fits(request, texts)) continue;
      this.#holds.delete(resolve);
      connection.holdServer();
      resolve({ message: request, deliver: () => connection.deliver(request) });
      return null;
    }
    const met = this.#take(request);
    return met === null ? request : applyFault(connection, request, met);
  }

  /** The fault that a request meets. */
  #take(request: Buffer): Aim | null {
    let met: Aim | null = null;
    if (this.#armed !== null && fits(request, this.#armed.texts)) {
      met = this.#armed;
      this.#armed = null;
    } else if (this.#repeated !== null && fits(request, this.#repeated.aim.texts) && this.#repeated.isMet())
      met = this.#repeated.aim;
    if (met !== null) this.counts[met.fault] += 1;
    return met;
  }
}

const fits = (request: Buffer, texts: readonly string[]): boolean => texts.every((text) => request.includes(text));

async function applyFault(connection: ProxiedConnection, request: Buffer, { fault, ms }: Aim): Promise<Buffer | null> {
  switch (fault) {
    case 'dropAnswer':
      connection.dropAnswer();
      return request;
    case 'delayRequest':
      await sleep(ms);
      return request;
    case 'landLate':
      connection.holdServer();
      await sleep(ms);
      setTimeout(() => connection.release(), LANDING_MS);
      return request;
    case 'delayAnswer':
      connection.delayAnswer(ms);
      return request;
    case 'cut':
      connection.cutWithin(request);
      return null;
  }
}
