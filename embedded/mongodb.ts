import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { cacheDirectory } from './cache.ts';
import { canDownload } from './downloads.ts';
import { javaClassPath } from './java-tools.ts';
import type { Say } from './once-built.ts';
import { onFreePort } from './ports.ts';
import { findOnPath, type ServerCommand, type ServerProcess, startServer } from './processes.ts';

export interface EmbeddedMongodb {
  readonly uri: string;
  readonly process: ServerProcess;
  /** Stops the server and removes the data of this run, if it is temporary. */
  stop(): Promise<void>;
}

interface MongodbOptions {
  /** Folder that keeps the data; null: the data ends with the server. */
  readonly dataDir: string | null;
  /** Port to take if it is free. */
  readonly preferredPort?: number;
  readonly say: Say;
}

const ASK_TIMEOUT_MS = 1_000;

/** A MongoDB of this machine: a mongod on PATH, else one that can be downloaded, else mongo-java-server. */
export async function startMongodb(options: MongodbOptions): Promise<EmbeddedMongodb> {
  const installed = findOnPath('mongod');
  if (installed) {
    options.say(`MongoDB: mongod found on PATH (${installed})`);
    return startMongod(installed, options);
  }
  const downloaded = await downloadMongod(options.say);
  if (downloaded) {
    try {
      return await startMongod(downloaded, options);
    } catch (error) {
      options.say(`MongoDB: the downloaded mongod does not run here: ${firstLine(error)}`);
    }
  }
  return startMongoJavaServer(options);
}

async function startMongod(binary: string, options: MongodbOptions): Promise<EmbeddedMongodb> {
  const folder = options.dataDir ? join(options.dataDir, 'mongod') : mkdtempSync(join(tmpdir(), 'drover-mongod-'));
  mkdirSync(folder, { recursive: true });
  const started = await startAt(options.preferredPort, (port) => ({
    name: 'mongod',
    command: binary,
    args: ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--quiet'],
  }));
  return {
    ...started,
    stop: async () => {
      await started.stop();
      if (!options.dataDir) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The mongod that mongodb-memory-server downloads, or null if it cannot. */
async function downloadMongod(say: Say): Promise<string | null> {
  const { DryMongoBinary, MongoBinary } = await import('mongodb-memory-server-core');
  const { MongoBinaryDownloadUrl } = await import('mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js');
  const downloadDir = join(cacheDirectory(), 'mongod');
  try {
    mkdirSync(downloadDir, { recursive: true });
    const wanted = await DryMongoBinary.generateOptions({ downloadDir });
    const present = await DryMongoBinary.locateBinary(wanted);
    if (present) {
      say(`MongoDB: mongod ${wanted.version} downloaded by an earlier run`);
      return present;
    }
    const url = await new MongoBinaryDownloadUrl(wanted).getDownloadUrl();
    if (!(await canDownload(url))) {
      say('MongoDB: no mongod on PATH, and none can be downloaded from here');
      return null;
    }
    say(`MongoDB: downloading mongod ${wanted.version} (once, kept in ${downloadDir})`);
    // checked against the checksum that its publisher serves over TLS: a list here would need too many versions and systems
    return await MongoBinary.getPath({ ...wanted, downloadDir, checkMD5: true });
  } catch (error) {
    say(`MongoDB: mongod cannot be downloaded: ${firstLine(error)}`);
    return null;
  }
}

/**
 * mongo-java-server: in memory, or over one file that holds every acknowledged write (`java/mongodb`).
 * @internal exported for tests, which start it where a mongod is installed
 */
export async function startMongoJavaServer(options: MongodbOptions): Promise<EmbeddedMongodb> {
  const classPath = await javaClassPath('mongodb', options.say).catch((error: unknown) => {
    throw new Error(`MongoDB: ${error instanceof Error ? error.message : error}, or set MONGODB_URI`, { cause: error });
  });
  options.say(`MongoDB: mongo-java-server, ${options.dataDir ? 'durable (every write committed)' : 'in memory'}`);
  const file: string[] = [];
  if (options.dataDir) {
    mkdirSync(options.dataDir, { recursive: true });
    file.push(join(options.dataDir, 'mongodb.mv'));
  }
  return startAt(options.preferredPort, (port) => ({
    name: 'mongo-java-server',
    command: 'java',
    args: ['-cp', classPath, '-XX:+UseSerialGC', 'EmbeddedMongo', String(port), ...file],
    // documents in its file that it cannot serve
    heard: (line) => options.say(`MongoDB: ${line}`),
  }));
}

function startAt(
  preferredPort: number | undefined,
  command: (port: number) => Omit<ServerCommand, 'answers'>,
): Promise<EmbeddedMongodb> {
  return onFreePort(preferredPort, async (port) => {
    const uri = uriOf(port);
    const server = await startServer({ ...command(port), answers: () => ping(uri) });
    return { uri, process: server, stop: () => server.stop() };
  });
}

function uriOf(port: number): string {
  return `mongodb://127.0.0.1:${port}/?directConnection=true`;
}

/** @throws when no MongoDB answers there within a second. */
async function ping(uri: string): Promise<void> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: ASK_TIMEOUT_MS });
  try {
    await client.db('admin').command({ ping: 1 });
  } finally {
    await client.close();
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
