import { setTimeout as sleep } from 'node:timers/promises';
import { appendTo } from '../../domain/collections/append-to.ts';

/** Work that waits until few others run. */
interface WaitingWork<T> {
  /** Whose it is: those who wait take turns, whatever each has waiting. */
  readonly turn: string;
  /** Time after which it no longer counts as running, in ms. */
  readonly limitMs: number;
  readonly work: () => Promise<T>;
}

export type Semaphore = <T>(waiting: WaitingWork<T>) => Promise<T>;

/**
 * Lets `width` of all work run side by side; a free place goes to the next in turn, and to what came first of theirs. Work that
 * passes its time limit goes on and makes room: its delivery writes nothing any more (`Attempt.assertInTime`), and may never end.
 */
export function createSemaphore(width: number): Semaphore {
  // in the order of their turns
  const waiting = new Map<string, (() => void)[]>();
  let running = 0;

  function startNext(): void {
    const [next] = waiting;
    if (next === undefined || running >= width) return;
    const [turn, [first, ...others]] = next;
    waiting.delete(turn);
    if (others.length > 0) waiting.set(turn, others);
    running++;
    first?.();
  }

  return ({ turn, limitMs, work }) =>
    new Promise((resolve, reject) => {
      const start = async (): Promise<void> => {
        const ended = new AbortController();
        const done = work()
          .then(resolve, reject)
          .finally(() => ended.abort());
        // rejected when the work ends first
        const late = sleep(limitMs, undefined, { signal: ended.signal }).catch(() => undefined);
        await Promise.race([done, late]);
        running--;
        startNext();
      };
      appendTo(waiting, turn, () => void start());
      startNext();
    });
}
