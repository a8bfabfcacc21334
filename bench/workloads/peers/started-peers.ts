import { type Bench, Skipped } from '../../run/bench.ts';
import { Peer } from './peer.ts';
import { startRedis } from './redis.ts';

/** Those who do less. BullMQ is absent where there is no Redis. */
export interface Peers {
  /** One process, a loop over the batches; a document for each resource and each outcome. */
  readonly plainLoop: Peer;
  /** The same, stored as Drover stores: JSON text, 50 outcomes a document. */
  readonly plainPages: Peer;
  readonly bullmqInChunks: Peer | null;
  readonly bullmqOneByOne: Peer | null;
  /** What one would write first on Temporal: one activity a resource, and nothing else. */
  readonly prototype: Peer;
  stop(): Promise<void>;
}

/** Resources in a job of BullMQ. */
export const CHUNK = 50;

export async function startPeers(bench: Bench): Promise<Peers> {
  const started: { stop(): Promise<void> }[] = [];
  const add = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const one = await starting;
    started.push(one);
    return one;
  };
  const stop = async (): Promise<void> => {
    for (const one of started.splice(0).reverse()) await one.stop();
  };
  try {
    const redis = await redisOf(bench);
    if (redis) started.push(redis);
    const bullmq = async (items: number): Promise<Peer | null> => {
      if (redis === null) return null;
      const environment = { REDIS_PORT: String(redis.port), ITEMS_PER_JOB: String(items) };
      return add(Peer.start(bench, `bullmq-${items}`, 'bullmq', environment));
    };
    return {
      plainLoop: await add(Peer.start(bench, 'plain', 'plain-loop', { STORAGE: 'documents' })),
      plainPages: await add(Peer.start(bench, 'plain-pages', 'plain-loop', { STORAGE: 'pages' })),
      bullmqInChunks: await bullmq(CHUNK),
      bullmqOneByOne: await bullmq(1),
      prototype: await add(Peer.start(bench, 'one-by-one', 'one-by-one')),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function redisOf(bench: Bench): Promise<Awaited<ReturnType<typeof startRedis>> | null> {
  try {
    return await startRedis();
  } catch (error) {
    if (!(error instanceof Skipped)) throw error;
    bench.say(`BullMQ: ${error.message}`);
    return null;
  }
}
