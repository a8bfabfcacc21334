import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { expect, test } from 'vitest';
import { startMongoJavaServer } from '../../embedded/mongodb.ts';

const WRITERS = 4;
const INDEXES = 150;

interface Kept {
  _id: string;
  of: number;
}

/** As at the first start: API and worker create indexes while requests already write. */
test.each(['in memory', 'durable'])(
  'indexes can be created during writes, and contain all documents: %s',
  async (kind) => {
    const folder = mkdtempSync(join(tmpdir(), 'drover-indexes-'));
    const server = await startMongoJavaServer({ dataDir: kind === 'durable' ? folder : null, say: () => undefined });
    const client = await new MongoClient(server.uri, { retryReads: false, retryWrites: false }).connect();
    try {
      const collection = client.db('test').collection<Kept>('kept');
      let isOver = false;
      const write = async (_: unknown, of: number): Promise<number> => {
        let written = 0;
        for (; !isOver; written++) {
          await collection.insertOne({ _id: `${of}/${written}`, of });
          await collection.updateOne({ _id: `${of}/${written}` }, { $set: { of } });
        }
        return written;
      };
      const writing = Promise.all(Array.from({ length: WRITERS }, write));
      const names = Array.from({ length: INDEXES }, (_, n) => ({ key: { of: 1 as const }, name: `by${n}` }));
      const making = (async () => {
        for (const name of names) await collection.createIndexes([name]);
      })().finally(() => {
        isOver = true;
      });
      const [written] = await Promise.all([writing, making]);
      for (const [of, count] of written.entries()) expect(await collection.countDocuments({ of })).toBe(count);
    } finally {
      await client.close();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
