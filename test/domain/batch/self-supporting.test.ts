import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { selfSupporting, type Waiter } from '../../../domain/batch/self-supporting.ts';

const waiter = (key: string, ...missing: string[]): Waiter => ({ key, missing });
const keysOf = (waiters: Iterable<Waiter>): string[] => [...waiters].map(({ key }) => key);

describe('the pending items that support each other', () => {
  test('are those whose references are present or created by another one, cycles included', () => {
    const waiters = [
      waiter('a', 'b'),
      waiter('b', 'a'),
      waiter('c', 'a', 'there'),
      waiter('d', 'nowhere'),
      waiter('e', 'd'),
      waiter('f', 'f'),
    ];
    expect(keysOf(selfSupporting(waiters, new Set(['there'])))).toEqual(['a', 'b', 'c', 'f']);
  });

  test('lose a key only with the last item that creates it', () => {
    const waiters = [waiter('a', 'nowhere'), waiter('a', 'there'), waiter('b', 'a')];
    expect(keysOf(selfSupporting(waiters, new Set(['there'])))).toEqual(['a', 'b']);
  });

  test('are the greatest such set', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const waiters = fc.array(
      fc.record({ key, missing: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'x', 'y'), { maxLength: 3 }) }),
      { maxLength: 7 },
    );
    const isSupported = (set: readonly Waiter[]): boolean => {
      const there = new Set(['x', ...set.map((each) => each.key)]);
      return set.every(({ missing }) => missing.every((each) => there.has(each)));
    };
    fc.assert(
      fc.property(waiters, (all) => {
        const found = selfSupporting(all, new Set(['x']));
        expect(isSupported([...found])).toBe(true);
        for (let bits = 0; bits < 1 << all.length; bits++) {
          const set = all.filter((_, at) => bits & (1 << at));
          if (isSupported(set)) for (const each of set) expect(found.has(each)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('are found in a chain and a ring of 20,000', () => {
    const chain = Array.from({ length: 20_000 }, (_, n) => waiter(`k${n}`, `k${n + 1}`));
    expect(selfSupporting(chain, new Set()).size).toBe(0);
    expect(selfSupporting(chain, new Set(['k20000'])).size).toBe(20_000);
    expect(selfSupporting([...chain, waiter('k20000', 'k0')], new Set()).size).toBe(20_001);
  });
});
