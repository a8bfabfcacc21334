import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time in which answers are dropped after the first dropped one, in ms: one connection of gRPC carries many calls at once. */
const SWALLOW_MS = 60;

/** Splits the bytes of a client into requests. @returns the requests that these bytes complete. */
export type RequestReader = (bytes: Buffer) => readonly Buffer[];

/** Handles a request or an answer: the returned bytes are passed on; null: nothing is passed on. */
export type Passage = (connection: ProxiedConnection, bytes: Buffer) => Promise<Buffer | null>;

/** One connection through a proxy: carries bytes both ways, in order. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #server: Socket;
  #isDropping = false;
  #answerDelayMs = 0;
  #isHeld = false;

  constructor(client: Socket, server: Socket, readRequests: RequestReader, passRequest: Passage, passAnswer: Passage) {
    this.#client = client;
    this.#server = server;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => this.cut());
    }
    this.#carry(client, server, readRequests, (request) => passRequest(this, request));
    const whole: RequestReader = (bytes) => [bytes];
    this.#carry(server, client, whole, async (bytes) => passAnswer(this, bytes).then((passed) => this.#answer(passed)));
    // nothing more is delivered for a caller that has disconnected, even if it was delayed before
    client.on('end', () => this.cut());
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Whether both of its sides are closed. */
  get isOver(): boolean {
    return this.#client.destroyed && this.#server.destroyed;
  }

  /** Drops the next answer, then cuts the connection. */
  dropAnswer(): void {
    this.#isDropping = true;
  }

  delayAnswer(ms: number): void {
    this.#answerDelayMs = ms;
  }

  /** From now on the connection to the server stays open, whatever the client does. */
  holdServer(): void {
    this.#isHeld = true;
  }

  /** Cuts the connection; a held connection to the server stays open. */
  cut(): void {
    this.#client.destroy();
    if (!this.#isHeld) this.#server.destroy();
  }

  /** Cuts both connections. */
  release(): void {
    this.#isHeld = false;
    this.cut();
  }

  /** Sends half of a request to the server, and cuts the connection. */
  cutWithin(request: Buffer): void {
    this.#server.write(request.subarray(0, Math.floor(request.length / 2)));
    this.cut();
  }

  /** Sends a held request to the server. @returns its answer. */
  deliver(request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#server.destroyed) reject(new Error('the connection to the server is closed'));
      this.#server.once('data', resolve);
      this.#server.once('close', () => reject(new Error('the connection to the server ended without an answer')));
      this.#server.write(request);
    });
  }

  /** Carries bytes in one direction: delayed bytes delay the bytes after them. */
  #carry(from: Socket, to: Socket, read: RequestReader, pass: (part: Buffer) => Promise<Buffer | null>): void {
    let before = Promise.resolve();
    from.on('data', (bytes: Buffer) => {
      for (const part of read(bytes)) {
        before = before.then(async () => {
          const passed = to.destroyed ? null : await pass(part);
          if (passed !== null && !to.destroyed) to.write(passed);
        });
      }
    });
    from.on('end', () => {
      before = before.then(() => this.#endBoth());
    });
  }

  async #answer(bytes: Buffer | null): Promise<Buffer | null> {
    if (this.#isDropping) {
      setTimeout(() => this.cut(), SWALLOW_MS);
      return null;
    }
    const delayMs = this.#answerDelayMs;
    this.#answerDelayMs = 0;
    if (delayMs > 0) await sleep(delayMs);
    return bytes;
  }

  /** Bytes that were passed on already still arrive; a held connection to the server stays open. */
  #endBoth(): void {
    this.#client.end();
    if (!this.#isHeld) this.#server.end();
  }
}

const LENGTH_BYTES = 4;

/** Requests of MongoDB's wire protocol: each message begins with its length in bytes. */
export function mongodbRequests(): RequestReader {
  let parts: Buffer[] = [];
  let received = 0;
  let wanted = LENGTH_BYTES;
  return (bytes) => {
    parts.push(bytes);
    received += bytes.length;
    const complete: Buffer[] = [];
    while (received >= wanted) {
      const all = Buffer.concat(parts);
      const size = all.readInt32LE(0);
      const isWhole = all.length >= size;
      if (isWhole) complete.push(all.subarray(0, size));
      const rest = isWhole ? all.subarray(size) : all;
      parts = [rest];
      received = rest.length;
      wanted = isWhole ? LENGTH_BYTES : size;
    }
    return complete;
  };
}
