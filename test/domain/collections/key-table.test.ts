import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyTable } from '../../../domain/collections/key-table.ts';
import { keyedHash } from '../../../domain/collections/keyed-hash.ts';

const newTable = (charge = (_bytes: number): void => undefined): KeyTable => new KeyTable(charge, [1, 2]);
const ids = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.constantFrom('', '/', 'a', 'a/b', '/a/b/c'));
const keys = fc.tuple(fc.constantFrom('p/t/one/', 'p/t/two/', 'p/u/one/', ''), ids).map(([group, id]) => group + id);

describe('numbers of identities', () => {
  test('each identity has one, in the order of their arrival, and it leads back to the identity', () => {
    fc.assert(
      fc.property(fc.array(keys, { maxLength: 400 }), fc.array(keys), (added, others) => {
        const table = newTable();
        const distinct = [...new Set(added)];
        for (const key of added) expect(table.add(key)).toBe(distinct.indexOf(key));
        expect(table.size).toBe(distinct.length);
        for (const [number, key] of distinct.entries()) {
          expect(table.key(number)).toBe(key);
          expect(key.startsWith(table.groups[table.groupOf(number)] ?? '-')).toBe(true);
        }
        for (const key of [...added, ...others]) expect(table.find(key)).toBe(distinct.indexOf(key));
      }),
    );
  });

  test('memory is charged before it is allocated, and released memory is reported', () => {
    let held = 0;
    const table = newTable((bytes) => {
      held += bytes;
      if (held > 100_000) throw new Error('too much');
    });
    expect(() => {
      for (let n = 0; ; n++) table.add(`p/t/s/${n}`);
    }).toThrow('too much');
    expect(table.size).toBeGreaterThan(1_000);
  });
});

describe('keyed hashes', () => {
  test('differ by secret, by length, and by input', () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, at) => at & 3);
    const hashes = new Set<number>();
    for (let length = 0; length <= 64; length++) {
      hashes.add(keyedHash([1, 2], bytes, length, 0));
      hashes.add(keyedHash([1, 3], bytes, length, 0));
      hashes.add(keyedHash([1, 2], bytes, length, 1));
    }
    expect(hashes.size).toBe(3 * 65);
  });

  test('spread evenly', () => {
    const counts = new Uint32Array(256);
    for (let n = 0; n < 65_536; n++) {
      const bytes = Buffer.from(`thing-${n}`);
      const low = keyedHash([7, 8], bytes, bytes.length, 0) & 0xff;
      counts[low] = (counts[low] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(180);
    expect(Math.max(...counts)).toBeLessThan(340);
  });
});
