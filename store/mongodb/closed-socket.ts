import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { MongoNetworkError } from 'mongodb';

/** The internals of the driver's connections that are used here; the driver does not export them. */
interface DriverConnection {
  readonly socket: Socket;
  readonly address: string;
  writeCommand(command: unknown, options: unknown): Promise<void>;
}

/**
 * Repairs the driver (7.9.0, the latest): a command that is written to a socket which is closed, or closes before it has accepted
 * the whole command, waits for ever for a `drain` event. If that command is the check of the driver's monitor, which is
 * likely when all connections of a server end at one moment, the driver never finds the server again. With this repair the command fails as
 * any other on a lost connection.
 */
export function failWritesToClosedSockets(): void {
  const { Connection } = createRequire(import.meta.url)('mongodb/lib/cmap/connection.js') as {
    Connection: { prototype: DriverConnection & { isMended?: true } };
  };
  const { prototype } = Connection;
  if (prototype.isMended || typeof prototype.writeCommand !== 'function') return;
  prototype.isMended = true;
  const { writeCommand } = prototype;
  prototype.writeCommand = async function (this: DriverConnection, command, options) {
    const { socket, address } = this;
    let onClose = (): void => undefined;
    const closed = new Promise<never>((_, reject) => {
      onClose = () => reject(new MongoNetworkError(`connection to ${address} closed while a command was written`));
    });
    socket.once('close', onClose);
    try {
      await Promise.race([writeCommand.call(this, command, options), closed]);
    } finally {
      socket.off('close', onClose);
    }
  };
}
