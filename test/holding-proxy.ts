import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A command of MongoDB that was held back: its sender hears nothing. */
export interface HeldCommand {
  /** The message as it was sent. */
  readonly message: Buffer;
  /** Lets the server carry it out now, whatever has become of its sender. Resolves when the server has answered. */
  deliver(): Promise<Buffer>;
}

interface Wanted {
  readonly texts: readonly string[];
  readonly held: (command: HeldCommand) => void;
}

/** A proxy before MongoDB that holds back single commands, and delivers them when it is told to, minutes later if need be. */
export class HoldingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #seen: Buffer[] = [];
  #wanted: Wanted[] = [];

  private constructor(server: Server, target: number) {
    this.#server = server;
    server.on('connection', (client) => this.#accept(client, target));
  }

  static async start(target: number): Promise<HoldingProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HoldingProxy(server, target);
  }

  /** `uri` with this proxy in place of the server. */
  uri(uri: string): string {
    const { port } = this.#server.address() as { port: number };
    return uri.replace(new URL(uri).port, String(port));
  }

  /** Holds back the next command that contains all of these texts. */
  hold(...texts: string[]): Promise<HeldCommand> {
    return new Promise((held) => this.#wanted.push({ texts, held }));
  }

  /** Commands so far that contain all of these texts. */
  seen(...texts: string[]): Buffer[] {
    return this.#seen.filter((message) => texts.every((text) => message.includes(text)));
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(client: Socket, target: number): void {
    const server = connect(target, '127.0.0.1');
    let isHolding = false;
    let rest: Buffer = Buffer.alloc(0);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    }
    client.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (let size = sizeOf(rest); size <= rest.length; size = sizeOf(rest)) {
        const message = rest.subarray(0, size);
        rest = rest.subarray(size);
        this.#seen.push(message);
        const wanted = this.#wanted.find(({ texts }) => texts.every((text) => message.includes(text)));
        if (wanted === undefined) {
          server.write(message);
          continue;
        }
        this.#wanted = this.#wanted.filter((other) => other !== wanted);
        isHolding = true;
        wanted.held({ message, deliver: () => deliver(server, message) });
      }
    });
    server.on('data', (bytes) => {
      if (!client.destroyed) client.write(bytes);
    });
    client.on('close', () => {
      if (!isHolding) server.destroy();
    });
    server.on('close', () => client.destroy());
  }
}

const LENGTH_BYTES = 4;

/** Bytes of the message that begins here; more than any as long as not even that is known. */
const sizeOf = (bytes: Buffer): number =>
  bytes.length < LENGTH_BYTES ? Number.POSITIVE_INFINITY : bytes.readInt32LE(0);

async function deliver(server: Socket, message: Buffer): Promise<Buffer> {
  const answered = once(server, 'data');
  server.write(message);
  const [answer] = (await answered) as [Buffer];
  return answer;
}
