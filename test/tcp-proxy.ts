import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What a proxy does with connections. */
export type ProxyMode =
  | 'pass'
  /** Nobody listens; what was connected is cut. */
  | 'refuse'
  /** Connections are taken, and never answered; what was connected hears nothing more. */
  | 'hang';

/** Stands between Drover and one of its servers, and takes that server away. */
export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #mode: ProxyMode = 'pass';

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#accept(client, target));
  }

  /** @param target port on loopback. */
  static async start(target: number): Promise<TcpProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, target);
  }

  async set(mode: ProxyMode): Promise<void> {
    const before = this.#mode;
    this.#mode = mode;
    if (mode === 'refuse') {
      this.#server.close();
      this.#cut();
    } else if (before === 'refuse') {
      this.#server.listen(this.port, '127.0.0.1');
      await once(this.#server, 'listening');
    }
    // What was lost on the way is lost: a connection that had hung ends when its server is back.
    if (mode === 'pass' && before === 'hang') this.#cut();
  }

  stop(): void {
    this.#server.close();
    this.#cut();
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(client: Socket, target: number): void {
    const server = this.#mode === 'pass' ? connect(target, '127.0.0.1') : null;
    this.#forward(client, server);
    if (server !== null) this.#forward(server, client);
  }

  #forward(from: Socket, to: Socket | null): void {
    this.#sockets.add(from);
    from.on('error', () => undefined);
    from.on('data', (bytes) => {
      if (this.#mode === 'pass') to?.write(bytes);
    });
    from.on('close', () => {
      this.#sockets.delete(from);
      to?.destroy();
    });
  }
}
