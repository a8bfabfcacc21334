import { setTimeout as sleep } from 'node:timers/promises';
import { appendTo } from '../../domain/collections/append-to.ts';

/** Work that waits for a place. */
interface WaitingWork<T> {
  /** Free places go to the fairness keys in rotation, however much work each of them has waiting. */
  readonly fairnessKey: string;
  /** Time after which it no longer counts as running, in ms. */
  readonly limitMs: number;
  readonly work: () => Promise<T>;
}

export type Semaphore = <T>(waiting: WaitingWork<T>) => Promise<T>;

/**
 * Runs at most `width` pieces of work at the same time. A free place goes to the next fairness key, and to the work of that key that came
 * first. Work that exceeds its time limit loses its place and continues: its attempt writes nothing any more (`Attempt.assertInTime`),
 * and may never end.
 * @param widthOfKey places that one fairness key may hold: with fewer than all, there is one for whoever comes next while a single one has many long pieces of work.
 */
export function createSemaphore(width: number, widthOfKey = width): Semaphore {
  // by fairness key; the next key comes first
  const waiting = new Map<string, (() => void)[]>();
  const runningOf = new Map<string, number>();
  let running = 0;

  function startNext(): void {
    const key = running < width ? nextKey() : undefined;
    if (key === undefined) return;
    const [first, ...others] = waiting.get(key) ?? [];
    waiting.delete(key);
    if (others.length > 0) waiting.set(key, others);
    count(key, 1);
    first?.();
  }

  function nextKey(): string | undefined {
    for (const key of waiting.keys()) if (countOf(key) < widthOfKey) return key;
    return undefined;
  }

  const countOf = (key: string): number => runningOf.get(key) ?? 0;

  function count(key: string, change: 1 | -1): void {
    running += change;
    const now = countOf(key) + change;
    if (now === 0) runningOf.delete(key);
    else runningOf.set(key, now);
  }

  return ({ fairnessKey, limitMs, work }) =>
    new Promise((resolve, reject) => {
      const start = async (): Promise<void> => {
        const ended = new AbortController();
        const done = work()
          .then(resolve, reject)
          .finally(() => ended.abort());
        // rejects when the work ends first
        const late = sleep(limitMs, undefined, { signal: ended.signal }).catch(() => undefined);
        await Promise.race([done, late]);
        count(fairnessKey, -1);
        startNext();
      };
      appendTo(waiting, fairnessKey, () => void start());
      startNext();
    });
}
