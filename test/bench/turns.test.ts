import { expect, test } from 'vitest';
import { Turns } from '../../bench/run/turns.ts';

/** Takes its turns, and notes each. */
async function go(turns: Turns, name: string, rounds: number, seen: string[]): Promise<void> {
  await turns.take();
  seen.push(`${name} begins`);
  for (let round = 1; round <= rounds; round++) {
    await turns.next();
    seen.push(`${name} ${round}`);
  }
  turns.leave();
}

test('rounds of two that are measured alternate', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  await Promise.all([go(turns, 'new', 2, seen), go(turns, 'old', 2, seen)]);
  expect(seen).toEqual(['new begins', 'old begins', 'new 1', 'old 1', 'new 2', 'old 2']);
});

test('one that leaves does not hold up the other', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  await Promise.all([go(turns, 'new', 0, seen), go(turns, 'old', 2, seen)]);
  expect(seen).toEqual(['new begins', 'old begins', 'old 1', 'old 2']);
});

test('one alone has every turn', async () => {
  const seen: string[] = [];
  await go(new Turns(), 'new', 2, seen);
  expect(seen).toEqual(['new begins', 'new 1', 'new 2']);
});
