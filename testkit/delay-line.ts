import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { PreciseTimer, preciseNow } from './precise-timer.ts';

/** What is under way: bytes, or the end of one direction of a connection. */
interface Passing {
  readonly due: number;
  readonly deliver: () => void;
}

/** Bytes that may wait to be read at the far end of a connection; then its sender has to wait. */
const MAX_UNREAD_BYTES = 1024 ** 2;

/**
 * A network with some delay before a server: every byte arrives `delayMs` after it was sent, in each direction, in order. It limits
 * no throughput: any number of bytes are under way at a time.
 */
export class DelayLine {
  /** In each direction. */
  delayMs: number;
  readonly #timer: PreciseTimer;
  /** Of all connections: as all have the same delay, what came first is due first. */
  readonly #underWay: Passing[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #listeners: Server[] = [];

  constructor(delayMs: number) {
    this.delayMs = delayMs;
    this.#timer = new PreciseTimer(() => this.#deliver());
  }

  /** @returns the port of loopback at which the server is reached through it. */
  async before(host: string, port: number): Promise<number> {
    const listener = createServer({ allowHalfOpen: true }, (client) => {
      const server = connect({ port, host, allowHalfOpen: true });
      this.#join(client, server);
      this.#join(server, client);
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    this.#listeners.push(listener);
    return (listener.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.#timer.stop();
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (bytes: Buffer) => {
      this.#send(() => {
        if (to.destroyed) return;
        to.write(bytes);
        if (to.writableLength > MAX_UNREAD_BYTES && !from.isPaused()) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      });
    });
    from.on('end', () => this.#send(() => void (to.destroyed || to.end())));
    from.on('error', () => undefined); // 'close' follows
    from.on('close', () => {
      this.#sockets.delete(from);
      // one that ended in order may still have something to be delivered
      if (!from.readableEnded) this.#send(() => to.destroy());
    });
  }

  #send(deliver: () => void): void {
    this.#underWay.push({ due: preciseNow() + this.delayMs, deliver });
    this.#armForNext();
  }

  #deliver(): void {
    const now = preciseNow();
    let arrived = 0;
    while ((this.#underWay[arrived]?.due ?? Number.POSITIVE_INFINITY) <= now) arrived += 1;
    for (const { deliver } of this.#underWay.splice(0, arrived)) deliver();
    this.#armForNext();
  }

  #armForNext(): void {
    const next = this.#underWay[0];
    if (next !== undefined && !this.#timer.isArmed) this.#timer.arm(next.due);
  }
}
