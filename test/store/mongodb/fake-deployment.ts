import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Binary, BSON, type Document, Long, ObjectId, Timestamp } from 'mongodb';

const HEADER_BYTES = 16;
const OP_REPLY = 1;
const OP_QUERY = 2_004;
const OP_MSG = 2_013;
/** Commands that do not concern a collection. */
const UNRECORDED: ReadonlySet<string> = new Set(['hello', 'ismaster', 'isMaster', 'ping', 'endSessions']);

export type Deployment = 'replica set' | 'mongos' | 'standalone' | 'embedded';

interface Stored {
  readonly collection: string;
  readonly document: Document;
  readonly at: number;
}

/** One command as it was received, and the time that its answer named. */
export interface Recorded {
  readonly name: string;
  readonly command: Document;
  readonly operationTime: number;
}

/**
 * A simulated MongoDB deployment, with the parts of its history that answers show: a clock that every write advances, a majority that may lag
 * behind it, and a primary that steps down. It inserts, and finds by `_id`; any other command succeeds without effect.
 */
export class FakeDeployment {
  readonly recorded: Recorded[] = [];
  /** Every command, those of the driver itself included. */
  readonly names: string[] = [];
  readonly #kind: Deployment;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections to a primary that has stepped down: commands that are sent over them get no answer. */
  #former: ReadonlySet<Socket> = new Set();
  readonly #stored: Stored[] = [];
  #clock = 1_000;
  /** Reads see the history up to this time. */
  #committed = 1_000;
  #electionId = new ObjectId();
  #waiting: (() => void)[] = [];
  #isLagging = false;

  private constructor(kind: Deployment, server: Server) {
    this.#kind = kind;
    this.#server = server;
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async start(kind: Deployment): Promise<FakeDeployment> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeDeployment(kind, server);
  }

  get #address(): string {
    const { port } = this.#server.address() as { port: number };
    return `127.0.0.1:${port}`;
  }

  get uri(): string {
    return `mongodb://${this.#address}/?heartbeatFrequencyMS=500${this.#kind === 'replica set' ? '&replicaSet=fake' : ''}`;
  }

  get clock(): number {
    return this.#clock;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Commands of this name. */
  of(name: string): Recorded[] {
    return this.recorded.filter((recorded) => recorded.name === name);
  }

  /**
   * Another primary, under the same address: it has everything that was acknowledged, but until it catches up it knows
   * of a majority only for what is `behind` older.
   */
  stepDown(behind: number): void {
    this.#electionId = new ObjectId();
    this.#isLagging = true;
    this.#committed = this.#clock - behind;
    this.#clock += 1;
    this.#former = new Set(this.#sockets);
  }

  catchUp(): void {
    this.#isLagging = false;
    this.#committed = this.#clock;
    for (const answer of this.#waiting.splice(0)) answer();
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= HEADER_BYTES && rest.length >= rest.readInt32LE(0)) {
        const size = rest.readInt32LE(0);
        void this.#answer(socket, rest.subarray(0, size));
        rest = rest.subarray(size);
      }
    });
  }

  async #answer(socket: Socket, message: Buffer): Promise<void> {
    const isQuery = message.readInt32LE(12) === OP_QUERY;
    const command = isQuery ? queryIn(message) : commandIn(message);
    const [name = ''] = Object.keys(command);
    if (this.#former.has(socket) && !UNRECORDED.has(name)) {
      socket.destroy();
      return;
    }
    const answer = BSON.serialize(await this.#reply(name, command));
    socket.write((isQuery ? queryReply : messageReply)(message.readInt32LE(4), answer));
  }

  async #reply(name: string, command: Document): Promise<Document> {
    this.names.push(name);
    if (UNRECORDED.has(name)) return this.#withTimes({ ok: 1, ...(name === 'ping' ? {} : this.#hello()) }, this.#clock);
    const isRead = name === 'find' || name === 'aggregate';
    if (isRead) await this.#committedTo(command.readConcern?.afterClusterTime);
    else this.#write(name, command);
    const operationTime = isRead ? this.#committed : this.#clock;
    this.recorded.push({ name, command, operationTime });
    return this.#withTimes({ ok: 1, ...(isRead ? this.#found(command) : { n: 1, nModified: 1 }) }, operationTime);
  }

  #write(name: string, command: Document): void {
    this.#clock += 1;
    // nothing is acknowledged before a majority has it; a primary that lags behind learns of the majority later
    if (!this.#isLagging) this.#committed = this.#clock;
    if (name !== 'insert') return;
    for (const document of command.documents as Document[])
      this.#stored.push({ collection: command.insert, document, at: this.#clock });
  }

  #found(command: Document): Document {
    const firstBatch = this.#stored
      .filter(({ collection, at }) => collection === command.find && at <= this.#committed)
      .map(({ document }) => document)
      .filter(({ _id }) => command.filter?._id === undefined || command.filter._id === _id);
    return { cursor: { id: Long.ZERO, ns: `${command.$db}.${command.find ?? command.aggregate}`, firstBatch } };
  }

  async #committedTo(afterClusterTime: Timestamp | undefined): Promise<void> {
    if (afterClusterTime === undefined) return;
    while (this.#committed < secondsOf(afterClusterTime))
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #hello(): Document {
    const common = {
      helloOk: true,
      isWritablePrimary: true,
      ismaster: true,
      maxBsonObjectSize: 16_777_216,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      minWireVersion: 0,
      maxWireVersion: 21,
    };
    if (this.#kind === 'embedded') return common;
    if (this.#kind === 'standalone') return { ...common, logicalSessionTimeoutMinutes: 30 };
    if (this.#kind === 'mongos') return { ...common, logicalSessionTimeoutMinutes: 30, msg: 'isdbgrid' };
    return {
      ...common,
      logicalSessionTimeoutMinutes: 30,
      setName: 'fake',
      setVersion: 1,
      electionId: this.#electionId,
      hosts: [this.#address],
      me: this.#address,
      primary: this.#address,
      secondary: false,
    };
  }

  #withTimes(answer: Document, operationTime: number): Document {
    if (this.#kind === 'standalone' || this.#kind === 'embedded') return answer;
    const signature = { hash: new Binary(Buffer.alloc(20)), keyId: Long.ZERO };
    return {
      ...answer,
      operationTime: timestampOf(operationTime),
      $clusterTime: { clusterTime: timestampOf(this.#clock), signature },
    };
  }
}

const timestampOf = (seconds: number): Timestamp => new Timestamp({ t: seconds, i: 1 });

export const secondsOf = (time: Timestamp): number => time.getHighBitsUnsigned();

function queryIn(message: Buffer): Document {
  const name = message.indexOf(0, HEADER_BYTES + 4);
  return BSON.deserialize(message.subarray(name + 1 + 8));
}

/** A document, and the sequences of documents that belong to it. */
function commandIn(message: Buffer): Document {
  let command: Document = {};
  const sequences: Document = {};
  for (let at = HEADER_BYTES + 4; at < message.length; ) {
    const kind = message.readUInt8(at);
    const size = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + size);
    at += 1 + size;
    if (kind === 0) {
      command = BSON.deserialize(section, { promoteValues: true });
      continue;
    }
    const end = section.indexOf(0, 4);
    sequences[section.toString('utf8', 4, end)] = documentsIn(section.subarray(end + 1));
  }
  return { ...command, ...sequences };
}

function documentsIn(bytes: Buffer): Document[] {
  const documents: Document[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readInt32LE(at))
    documents.push(BSON.deserialize(bytes.subarray(at, at + bytes.readInt32LE(at))));
  return documents;
}

function header(responseTo: number, kind: number, bytes: number): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeInt32LE(HEADER_BYTES + bytes, 0);
  head.writeInt32LE(responseTo, 8);
  head.writeInt32LE(kind, 12);
  return head;
}

function queryReply(responseTo: number, answer: Uint8Array): Buffer {
  const fields = Buffer.alloc(20);
  fields.writeInt32LE(1, 16);
  return Buffer.concat([header(responseTo, OP_REPLY, fields.length + answer.length), fields, answer]);
}

/** Flags, and one section of kind 0. */
const messageReply = (responseTo: number, answer: Uint8Array): Buffer =>
  Buffer.concat([header(responseTo, OP_MSG, 5 + answer.length), Buffer.alloc(5), answer]);
