import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Document, MongoClient } from 'mongodb';
import { mongodbRequests } from '../../../testkit/proxied-connection.ts';
import { direct, mongodbHost } from '../../installation/network.ts';
import { type Change, Changes, WRITES } from './changes.ts';
import { type Message, readMessage } from './wire.ts';

/** What one command asked of the server. */
export interface Asked {
  /** Who has sent it. */
  readonly process: string;
  readonly command: string;
  readonly collection: string;
  /** Bytes on the wire, headers included. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly begun: number;
  readonly ended: number;
  readonly changes: readonly Change[];
}

/** What a driver does by itself, or at the start of a process. */
const NOT_COUNTED: ReadonlySet<string> = new Set([
  ...['hello', 'isMaster', 'ismaster', 'ping', 'buildInfo', 'endSessions', 'saslStart', 'saslContinue'],
  ...['createIndexes', 'listIndexes', 'create', 'listCollections'],
]);

/** A request that waits for its answer. */
interface UnderWay {
  readonly message: Message;
  readonly sentBytes: number;
  readonly begun: number;
  readonly changes: Changes | null;
  readonly unlock: () => void;
}

/**
 * A proxy before MongoDB that notes every command, and reads from the server what a command that writes has changed. Writes to one
 * collection go through one after the other: what it shows is what is asked of the server, not how long that takes.
 */
export class CountingProxy {
  readonly #uri: string;
  readonly #client: MongoClient;
  readonly #listeners: Server[] = [];
  readonly #sockets = new Set<Socket>();
  /** Of each collection: resolves when nothing of it is being written. */
  readonly #locks = new Map<string, Promise<void>>();
  #asked: Asked[] = [];
  #error: unknown;

  constructor(uri: string) {
    this.#uri = uri;
    this.#client = new MongoClient(uri);
  }

  /** @returns the URI of the server through it, for one kind of process. */
  async uriFor(process: string): Promise<string> {
    const host = mongodbHost(this.#uri);
    const [, name = '', port] = /^(.+):(\d+)$/.exec(host) ?? [];
    const listener = createServer((client) => {
      const server = connect(Number(port), name.replace(/^\[|\]$/g, ''));
      this.#join(process, client, server);
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    this.#listeners.push(listener);
    return direct(this.#uri.replace(host, `127.0.0.1:${(listener.address() as AddressInfo).port}`));
  }

  /** When the last command was answered, by `performance.now`. */
  get lastAt(): number {
    return Math.max(0, ...this.#asked.map(({ ended }) => ended));
  }

  /** What was asked since the last call. @throws what reading it has met. */
  take(): Asked[] {
    if (this.#error !== undefined) throw this.#error;
    const asked = this.#asked;
    this.#asked = [];
    return asked;
  }

  async stop(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.#client.close();
  }

  #join(process: string, client: Socket, server: Socket): void {
    const underWay = new Map<number, UnderWay>();
    const fail = (error: unknown): void => {
      this.#error ??= error;
      client.destroy();
    };
    this.#pass(client, server, async (bytes) => this.#request(bytes, underWay), fail);
    this.#pass(server, client, async (bytes) => this.#answer(process, bytes, underWay), fail);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined); // 'close' follows
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
        for (const { unlock } of underWay.values()) unlock();
        underWay.clear();
      });
    }
  }

  /** Passes whole messages on, each when it has been noted. */
  #pass(from: Socket, to: Socket, note: (bytes: Buffer) => Promise<void>, fail: (error: unknown) => void): void {
    const read = mongodbRequests();
    let before: Promise<void> = Promise.resolve();
    from.on('data', (bytes: Buffer) => {
      for (const message of read(bytes)) {
        before = before
          .then(() => note(message))
          .then(() => void (to.destroyed || to.write(message)))
          .catch(fail);
      }
    });
  }

  async #request(bytes: Buffer, underWay: Map<number, UnderWay>): Promise<void> {
    const message = readMessage(bytes);
    if (message === null || message.body.$db === undefined || message.body.$db === 'admin') return;
    const name = Object.keys(message.body)[0] ?? '';
    if (NOT_COUNTED.has(name)) return;
    const begun = performance.now();
    const isWrite = WRITES.includes(name);
    const unlock = isWrite ? await this.#lock(String(message.body[name])) : () => undefined;
    const changes = isWrite ? await Changes.begin(this.#client.db(String(message.body.$db)), name, message.body) : null;
    underWay.set(message.requestId, { message, sentBytes: bytes.length, begun, changes, unlock });
  }

  async #answer(process: string, bytes: Buffer, underWay: Map<number, UnderWay>): Promise<void> {
    const answer = readMessage(bytes);
    const request = answer === null ? undefined : underWay.get(answer.responseTo);
    if (answer === null || request === undefined) return;
    const { body } = request.message;
    const command = Object.keys(body)[0] ?? '';
    const changes = (await request.changes?.end(answer.body)) ?? [];
    underWay.delete(answer.responseTo);
    request.unlock();
    this.#asked.push({
      process,
      command,
      collection: String(command === 'getMore' ? body.collection : body[command]),
      sentBytes: request.sentBytes,
      receivedBytes: bytes.length,
      begun: request.begun,
      ended: performance.now(),
      changes: changes.filter(isChange),
    });
  }

  async #lock(collection: string): Promise<() => void> {
    const before = this.#locks.get(collection);
    let unlock = (): void => undefined;
    this.#locks.set(collection, new Promise((resolve) => (unlock = resolve)));
    await before;
    return unlock;
  }
}

/** A command may match documents and leave them as they are. */
const isChange = ({ before, after }: Change): boolean => textOf(before) !== textOf(after);

const textOf = (document: Document | null): string => JSON.stringify(document);
