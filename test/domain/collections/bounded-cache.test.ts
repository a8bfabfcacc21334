import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedCache } from '../../../domain/collections/bounded-cache.ts';

describe('a bounded cache', () => {
  it("evicts only a group's own entries, least recently used first", () => {
    const cache = new BoundedCache<number>({ bytes: 100, bytesPerGroup: 30 });
    cache.set('quiet', 'q', 0, 20);
    for (let n = 0; n < 3; n++) cache.set('busy', `b${n}`, n, 10);
    cache.get('b0');
    cache.set('busy', 'b3', 3, 10);
    expect(['q', 'b0', 'b1', 'b2', 'b3'].map((key) => cache.get(key))).toEqual([0, 0, undefined, 2, 3]);
  });

  it('evicts from the largest group if the whole cache is full', () => {
    const cache = new BoundedCache<number>({ bytes: 40, bytesPerGroup: 30 });
    cache.set('small', 's', 0, 10);
    cache.set('large', 'l1', 1, 15);
    cache.set('large', 'l2', 2, 15);
    cache.set('new', 'n', 3, 10);
    expect(['s', 'l1', 'l2', 'n'].map((key) => cache.get(key))).toEqual([0, undefined, 2, 3]);
  });

  it('stays within its limits, except for one entry that is larger than they are', () => {
    const step = fc.record({ group: fc.nat(4), key: fc.nat(20), bytes: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const cache = new BoundedCache<number>({ bytes: 50, bytesPerGroup: 20 });
        for (const { group, key, bytes } of steps) {
          cache.set(String(group), `${group}/${key}`, bytes, bytes);
          expect(cache.get(`${group}/${key}`)).toBe(bytes);
          expect(cache.bytes).toBeLessThanOrEqual(50);
        }
      }),
    );
  });
});
