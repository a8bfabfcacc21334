import { expect, test, vi } from 'vitest';
import { SharedAnswers } from '../../../api/state/shared-answers.ts';

test('callers at the same time, and for a while after, share one answer; other keys have their own', async () => {
  vi.useFakeTimers();
  try {
    const shared = new SharedAnswers<number>(5_000);
    let computed = 0;
    let resolve = (): void => undefined;
    const held = new Promise<void>((release) => {
      resolve = release;
    });
    const slow = () => shared.get('a', () => held.then(() => ++computed));
    const [first, second] = [slow(), slow()];
    // however long it takes
    vi.advanceTimersByTime(60_000);
    const third = slow();
    resolve();
    expect(await Promise.all([first, second, third])).toEqual([1, 1, 1]);
    const at = (key: string) => shared.get(key, async () => ++computed);
    expect([await at('a'), await at('b'), await at('b')]).toEqual([1, 2, 2]);
    vi.advanceTimersByTime(5_000);
    expect(await at('a')).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});

test('a failure is told to all who have waited for it, and is not kept', async () => {
  const shared = new SharedAnswers<number>(5_000);
  const failing = () => shared.get('a', () => Promise.reject(new Error('away')));
  await expect(Promise.all([failing(), failing()])).rejects.toThrow('away');
  expect(await shared.get('a', async () => 1)).toBe(1);
});
