import { createHash } from 'node:crypto';
import type { Worker } from 'node:worker_threads';
import type { ItemError } from '../../domain/batch/outcome.ts';
import { MAX_COMPILATION_MS, MAX_VALIDATION_BYTES, MAX_VALIDATION_MS } from '../../domain/limits.ts';
import { startThread } from '../threads/start-thread.ts';
import type { ThreadAnswer, ThreadRequest } from './validation-thread.ts';

const TICK_MS = 100;
/** Memory of the thread, in MiB. A validation that needs more is ended. */
const RESOURCE_LIMITS = {
  maxOldGenerationSizeMb: MAX_VALIDATION_BYTES / 2 ** 20,
  maxYoungGenerationSizeMb: 32,
  stackSizeMb: 4,
};
/** Number of results that are kept, so that an attempt of an activity continues where the one before ran out of time. */
const MAX_VERDICTS = 2_000;

const TOO_LONG: ItemError = {
  code: 'validation',
  message: `takes longer than ${MAX_VALIDATION_MS / 1000} s to check against its schema`,
};
const TOO_MUCH_MEMORY: ItemError = {
  code: 'validation',
  message: 'takes too much memory to check against its schema',
};

interface Job {
  readonly request: ThreadRequest;
  readonly done: (answer: ThreadAnswer | 'too long' | 'too much memory') => void;
}

/**
 * Validates resources that could take long in a thread that can be ended, one after the other; the thread is started when it is
 * first needed. Owners with waiting requests are served in turn: one owner with many does not delay the others. A request waits for the
 * running one, and then for one of each other owner between any two of its own owner's: each takes a second at most, and up to
 * 15 s more if its schema is compiled first.
 */
export class ValidationThreads {
  readonly #queues = new Map<string, Job[]>();
  readonly #verdicts = new Map<string, Promise<readonly ItemError[]>>();
  #thread: Worker | undefined;
  #isBusy = false;
  #isClosed = false;

  /** The faults of a resource, given as JSON texts. If validation takes too long, or too much memory, that is its only fault. */
  faults(owner: string, schema: string, externalIdField: string, data: string): Promise<readonly ItemError[]> {
    const key = createHash('sha256')
      .update(`${externalIdField}\n${schema.length}\n${schema}`)
      .update(data)
      .digest('hex');
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = this.#ask(owner, { schema, externalIdField, data }).then((answer) => {
      if (answer === 'too long') return [TOO_LONG];
      if (answer === 'too much memory') return [TOO_MUCH_MEMORY];
      if (answer.kind !== 'faults') throw new Error(messageOf(answer));
      return answer.faults;
    });
    const oldest = this.#verdicts.keys().next();
    if (this.#verdicts.size >= MAX_VERDICTS && !oldest.done) this.#verdicts.delete(oldest.value);
    this.#verdicts.set(key, verdict);
    verdict.catch(() => this.#verdicts.delete(key));
    return verdict;
  }

  /** Why a schema cannot be compiled, or null. */
  async compilationFault(owner: string, schema: string, externalIdField: string): Promise<string | null> {
    const answer = await this.#ask(owner, { schema, externalIdField });
    if (answer === 'too long') return 'it takes too long';
    if (answer === 'too much memory') return 'it takes too much memory';
    if (answer.kind !== 'compilation') throw new Error(messageOf(answer));
    return answer.fault;
  }

  /** Ends the thread; callers that still wait for it get an error. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#thread?.terminate();
  }

  #ask(owner: string, request: ThreadRequest): Promise<Parameters<Job['done']>[0]> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new Error('validation has been closed'));
      const queue = this.#queues.get(owner) ?? [];
      this.#queues.set(owner, queue);
      queue.push({ request, done: resolve });
      if (!this.#isBusy) this.#next();
    });
  }

  /** Takes the next owner's oldest job; the owner goes to the end of the queue. */
  #next(): void {
    const [next] = this.#queues;
    this.#isBusy = next !== undefined;
    if (next === undefined) return;
    const [owner, queue] = next;
    const job = queue.shift();
    this.#queues.delete(owner);
    if (queue.length > 0) this.#queues.set(owner, queue);
    if (job !== undefined) this.#run(job);
  }

  #run({ request, done }: Job): void {
    const thread = this.#thread ?? this.#start();
    let limitMs = MAX_COMPILATION_MS;
    let left = limitMs / TICK_MS;
    let began = process.cpuUsage();
    // the thread has had no more CPU time than this process: on a busy machine it is waited for
    const hasHadItsTime = (): boolean => left <= 0 && spentMs(began) >= limitMs;
    let isOver = false;
    const end = (answer: Parameters<Job['done']>[0]): void => {
      if (isOver) return;
      isOver = true;
      clearInterval(ticking);
      thread.off('message', onMessage).off('error', onError).off('exit', onExit);
      done(answer);
      this.#next();
    };
    const discard = (answer: Parameters<Job['done']>[0]): void => {
      if (this.#thread === thread) this.#thread = undefined;
      void thread.terminate();
      end(answer);
    };
    const onMessage = (answer: ThreadAnswer): void => {
      if (answer.kind !== 'compiled') {
        end(answer);
        return;
      }
      limitMs = MAX_VALIDATION_MS;
      left = limitMs / TICK_MS;
      began = process.cpuUsage();
    };
    const onError = (error: Error & { code?: string }): void =>
      discard(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'too much memory' : { kind: 'error', message: error.message },
      );
    const onExit = (): void => discard({ kind: 'error', message: 'the validation thread has ended' });
    thread.on('message', onMessage).on('error', onError).on('exit', onExit);
    const ticking = setInterval(() => {
      left -= 1;
      // messages that have arrived while this process was busy are read first
      if (hasHadItsTime()) setImmediate(() => hasHadItsTime() && !isOver && discard('too long'));
    }, TICK_MS);
    thread.postMessage(request);
  }

  #start(): Worker {
    const thread = startThread('./validation-thread', import.meta.url, RESOURCE_LIMITS);
    // callers that wait for an answer listen as well; a thread that ends while idle is started again
    thread.on('error', () => undefined);
    thread.on('exit', () => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    // an idle process may end
    thread.unref();
    this.#thread = thread;
    return thread;
  }
}

/** CPU time of this process since then, in ms. */
function spentMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

function messageOf(answer: ThreadAnswer): string {
  return answer.kind === 'error' ? answer.message : `the validation thread answered ${answer.kind}`;
}
