import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../record/client.ts';
import { batchIdsOf, type Journal, type Removal, type SentRequest } from '../record/journal.ts';
import type { Observer } from '../record/observer.ts';
import type { Random } from './random.ts';
import type { RequestMaker } from './request-maker.ts';

/** Longest time for which a client sends a request with a key again and again, in ms; the drain does the rest. */
const PATIENCE_MS = 4_000;

/** How often a client asks for a batch to be removed whose removal is not answered. */
const REMOVALS = 3;

/** What an action of a client works with. */
export interface Session {
  readonly tenant: string;
  readonly random: Random;
  readonly make: RequestMaker;
  readonly client: ApiClient;
  readonly observer: Observer;
  readonly journal: Journal;
  readonly stopped: AbortSignal;
}

/**
 * Sends a request: without a key once, with one until it is answered, and sometimes twice at once.
 * @returns the id of its batch, as far as it is known.
 */
export async function send(session: Session, request: SentRequest): Promise<string | undefined> {
  const { journal, client, random, observer } = session;
  journal.requests.push(request);
  if (request.key === undefined) await client.send(request);
  else {
    const sending = [client.sendUntilAnswered(request, Date.now() + PATIENCE_MS)];
    if (random.chance(0.3)) sending.push(client.send(request).then(() => undefined));
    await Promise.all(sending);
  }
  // an unreachable API is not called all the time
  if (request.results.at(-1)?.kind === 'unknown') await pause(session, 600);
  const [batchId] = batchIdsOf(request);
  if (batchId !== undefined) observer.watch(request, batchId);
  return batchId;
}

/** Removes a batch; the request is repeated if its answer is lost. @returns the request that was answered; undefined where none was. */
export async function removeForGood(session: Session, batchId: string): Promise<Removal | undefined> {
  const { client, observer, tenant, stopped } = session;
  for (let time = 0; time < REMOVALS && !stopped.aborted; time++) {
    const removal = await client.remove(tenant, batchId);
    if (removal.status === null || removal.status >= 500) await pause(session, 600);
    else {
      observer.forget(batchId);
      return removal;
    }
  }
  return undefined;
}

/** Some requests have a key. */
export function maybeKey({ random }: Session, probability = 0.35): { key?: string } {
  return random.chance(probability) ? { key: `key-${random.integer(0, 1e9)}-${random.integer(0, 1e9)}` } : {};
}

export async function pause({ random, stopped }: Session, meanMs: number): Promise<void> {
  await sleep(random.exponential(meanMs), undefined, { signal: stopped }).catch(() => undefined);
}
