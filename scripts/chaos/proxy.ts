import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * - `dropAnswer`: the next request goes through, its answer does not; then the connection is cut.
 * - `delayRequest`, `delayAnswer`: the next one is held up. What is held when its sender gives up is never delivered.
 * - `landLate`: the next one is held up for long, and delivered all the same when its sender has given it up.
 * - `cut`: the next request goes through by half, then the connection is cut.
 * - `refuse`: every connection is cut, and for a while none is taken.
 */
export const NETWORK_FAULTS = ['dropAnswer', 'delayRequest', 'delayAnswer', 'landLate', 'cut', 'refuse'] as const;
export type NetworkFault = (typeof NETWORK_FAULTS)[number];

/** What to do to a request, and to which: to the next one that contains all of the texts. */
export interface Aim {
  readonly fault: Exclude<NetworkFault, 'refuse'>;
  readonly ms: number;
  readonly texts: readonly string[];
}

/** Time in which answers are swallowed after the first of them, in ms: on one connection of gRPC many things are said at once. */
const SWALLOW_MS = 60;
/** Time that a server is given for a request which lands late, in ms. */
const LANDING_MS = 2_000;

interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Its answers are swallowed until it is cut. */
  isDropping: boolean;
  /** Its next answer is held up for so long, in ms. */
  answerDelayMs: number;
  /** Its request lands late: the way to the server stays open, whatever the client does. */
  isHeld: boolean;
}

/** A TCP proxy that loses, delays and cuts what it is told to; otherwise it passes everything on. */
export class FaultyProxy {
  readonly name: string;
  readonly port: number;
  readonly counts: Record<NetworkFault, number> = {
    dropAnswer: 0,
    delayRequest: 0,
    delayAnswer: 0,
    landLate: 0,
    cut: 0,
    refuse: 0,
  };
  readonly #server: Server;
  readonly #upstreamPort: number;
  readonly #links = new Set<Link>();
  #armed: Aim | null = null;
  /** Met by every request that fits, with this probability. */
  #standing: { readonly aim: Aim; readonly isMet: () => boolean } | null = null;
  #refusedUntil = 0;

  private constructor(name: string, port: number, upstreamPort: number) {
    this.name = name;
    this.port = port;
    this.#upstreamPort = upstreamPort;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async listen(name: string, port: number, upstreamPort: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(name, port, upstreamPort);
    proxy.#server.listen(port, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The next request that fits, on whatever connection, meets this fault; one that was armed and met nothing is forgotten. */
  arm(aim: Aim): void {
    this.#armed = aim;
  }

  /** Every request that fits meets this fault where `isMet` says so. */
  armForGood(aim: Aim, isMet: () => boolean): void {
    this.#standing = { aim, isMet };
  }

  /** Cuts every connection and takes none for some time. */
  refuse(ms: number): void {
    this.counts.refuse += 1;
    this.#refusedUntil = performance.now() + ms;
    for (const link of this.#links) cut(link);
  }

  /** From now on everything passes; what is to land late and has not is never delivered. */
  calm(): void {
    for (const link of this.#links) if (link.isHeld) letGo(link);
    this.#armed = null;
    this.#standing = null;
    this.#refusedUntil = 0;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const link of this.#links) letGo(link);
    await closed;
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined);
    if (performance.now() < this.#refusedUntil) {
      client.destroy();
      return;
    }
    const upstream = createConnection({ port: this.#upstreamPort, host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    const link: Link = { client, upstream, isDropping: false, answerDelayMs: 0, isHeld: false };
    this.#links.add(link);
    upstream.on('error', () => undefined);
    for (const socket of [client, upstream]) {
      socket.on('close', () => {
        cut(link);
        if (!link.isHeld) this.#links.delete(link);
      });
    }
    this.#carry(link, client, upstream, (chunk) => this.#passRequest(link, chunk));
    this.#carry(link, upstream, client, (chunk) => this.#passAnswer(link, chunk));
    // A caller that has given up has nothing more delivered, whatever is still held.
    client.on('end', () => cut(link));
  }

  /** Carries data one way, in order: what is held up holds up what comes after it. */
  #carry(link: Link, from: Socket, to: Socket, pass: (chunk: Buffer) => Buffer | null | Promise<Buffer | null>): void {
    let before = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      before = before.then(async () => {
        const passed = to.destroyed ? null : await pass(chunk);
        if (passed !== null && !to.destroyed) to.write(passed);
      });
    });
    from.on('end', () => {
      before = before.then(() => cutGently(link));
    });
  }

  /** The fault that a request meets. */
  #take(request: Buffer): Aim | null {
    const fits = ({ texts }: Aim): boolean => texts.every((text) => request.includes(text));
    let met: Aim | null = null;
    if (this.#armed !== null && fits(this.#armed)) {
      met = this.#armed;
      this.#armed = null;
    } else if (this.#standing !== null && fits(this.#standing.aim) && this.#standing.isMet()) met = this.#standing.aim;
    if (met !== null) this.counts[met.fault] += 1;
    return met;
  }

  async #passRequest(link: Link, chunk: Buffer): Promise<Buffer | null> {
    const met = this.#take(chunk);
    switch (met?.fault) {
      case 'dropAnswer':
        link.isDropping = true;
        return chunk;
      case 'delayRequest':
        await sleep(met.ms);
        return chunk;
      case 'landLate':
        link.isHeld = true;
        await sleep(met.ms);
        setTimeout(() => letGo(link), LANDING_MS);
        return chunk;
      case 'delayAnswer':
        link.answerDelayMs = met.ms;
        return chunk;
      case 'cut':
        link.upstream.write(chunk.subarray(0, Math.floor(chunk.length / 2)));
        cut(link);
        return null;
      default:
        return chunk;
    }
  }

  async #passAnswer(link: Link, chunk: Buffer): Promise<Buffer | null> {
    if (link.isDropping) {
      setTimeout(() => cut(link), SWALLOW_MS);
      return null;
    }
    const delay = link.answerDelayMs;
    link.answerDelayMs = 0;
    if (delay > 0) await sleep(delay);
    return chunk;
  }
}

/** What was passed on already still arrives. */
function cutGently({ client, upstream }: Link): void {
  client.end();
  upstream.end();
}

function cut({ client, upstream, isHeld }: Link): void {
  client.destroy();
  if (!isHeld) upstream.destroy();
}

function letGo(link: Link): void {
  link.isHeld = false;
  cut(link);
}
