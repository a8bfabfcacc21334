import { createHash, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Something that only one process of this machine may do at a time. */
interface Hold {
  release(): Promise<void>;
}

const WAIT_MS = 500;

/** Long enough for a second process that took over the same abandoned hold to have done so. */
const TAKEOVER_CHECK_MS = 50;

/**
 * Takes the hold of that name, or returns null when a living process has it. The hold is a listening socket: it ends
 * with its process, however that dies.
 */
export async function tryHold(name: string): Promise<Hold | null> {
  const path = join(tmpdir(), `drover-${createHash('sha256').update(name).digest('hex').slice(0, 20)}.sock`);
  const token = randomUUID();
  const first = await listen(path, token);
  if (first) return holdOf(first);
  if ((await askHolder(path)) !== null) return null;
  rmSync(path, { force: true });
  const second = await listen(path, token);
  if (!second) return null;
  await sleep(TAKEOVER_CHECK_MS);
  if ((await askHolder(path)) === token) return holdOf(second);
  second.close();
  return null;
}

/** Takes the hold as soon as its holder releases it; `onWait` is called once if another process holds it. */
export async function hold(name: string, onWait: () => void): Promise<Hold> {
  let waiting = false;
  for (;;) {
    const taken = await tryHold(name);
    if (taken) return taken;
    if (!waiting) onWait();
    waiting = true;
    await sleep(WAIT_MS);
  }
}

function holdOf(server: Server): Hold {
  return {
    release: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

/** Null when something lies at that path already. @throws whatever else keeps it from listening. */
function listen(path: string, token: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(token);
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** The text that the holder sends, or null if no process listens at the path any more. */
function askHolder(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      answer += part;
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? null : '');
    });
  });
}
