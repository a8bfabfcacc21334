import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { indivisibleSlices } from '../../../domain/schema/indivisible.ts';

const item = (key: string, ...references: string[]) => ({ key, references: references.map((to) => ({ key: to })) });
const keysOf = (slices: Iterable<{ key: string }[]>): string[][] =>
  [...slices].map((some) => some.map(({ key }) => key));

describe('slices of items', () => {
  test('may be cut wherever no item refers to a later one', () => {
    const items = [item('a'), item('b', 'a'), item('c'), item('c'), item('d', 'gone')];
    expect(keysOf(indivisibleSlices(items, () => 2))).toEqual([['a', 'b'], ['c', 'c'], ['d']]);
    expect([...indivisibleSlices([], () => 2)]).toEqual([]);
  });

  test('contain a cycle as a whole, however long it is', () => {
    const ring = [item('x'), item('1', '2'), item('2', '3'), item('3', '4'), item('4', '1'), item('y')];
    expect(keysOf(indivisibleSlices(ring, () => 2))).toEqual([['x'], ['1', '2', '3', '4'], ['y']]);
  });

  test('contain all items of a resource that an earlier item refers to: any of them may create it', () => {
    const items = [item('a'), item('b', 'a'), item('c'), item('a'), item('d')];
    expect(keysOf(indivisibleSlices(items, () => 2))).toEqual([['a'], ['b', 'c', 'a'], ['d']]);
  });

  test('separate items of one resource, in their order, if only they refer to it', () => {
    const items = [item('s', 's'), item('s', 's'), item('s')];
    expect(keysOf(indivisibleSlices(items, () => 1))).toEqual([['s'], ['s'], ['s']]);
  });

  test('may change their size in between', () => {
    const sizes = [3, 1, 2];
    const items = Array.from({ length: 7 }, (_, n) => item(`k${n}`));
    const lengths = [...indivisibleSlices(items, () => sizes.shift() ?? 10)].map((some) => some.length);
    expect(lengths).toEqual([3, 1, 2, 1]);
  });

  test('contain all items in their order, refer to no later slice, and are as small as that allows', () => {
    const items = fc.array(
      fc
        .record({ key: fc.nat(25), references: fc.array(fc.nat(30), { maxLength: 2 }) })
        .map(({ key, references }) => item(`k${key}`, ...references.map((to) => `k${to}`))),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 8 }), (all, size) => {
        const slices = [...indivisibleSlices(all, () => size)];
        expect(slices.flat()).toEqual(all);
        let end = 0;
        for (const slice of slices) {
          expect(slice.length).toBeGreaterThan(0);
          end += slice.length;
          const later = new Set(all.slice(end).map(({ key }) => key));
          const isClosed = (upTo: number, rest: ReadonlySet<string>): boolean =>
            slice
              .slice(0, upTo)
              .every(({ key, references }) => references.every((to) => to.key === key || !rest.has(to.key)));
          expect(isClosed(slice.length, later)).toBe(true);
          // a slice that is too large cannot be cut anywhere
          for (let at = size; at < slice.length; at++) {
            const rest = new Set([...slice.slice(at).map(({ key }) => key), ...later]);
            expect(isClosed(at, rest)).toBe(false);
          }
        }
      }),
    );
  });
});
