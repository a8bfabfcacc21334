import { describe, expect, test } from 'vitest';
import { atOnce } from '../../../domain/collections/run-yielding.ts';
import { WaitingItems } from '../../../domain/imports/waiting-items.ts';
import { type ResourceKey, resourceKey } from '../../../domain/write/resource.ts';

const scope = { platform: 'default', tenant: 'default' };
const key = (externalId: string): ResourceKey => resourceKey(scope, 'city', externalId);

/** Items as `id: what it misses`, each of a batch of its own. */
function cyclesOf(items: readonly (readonly [string, ...string[]])[], most = 100): string[][] {
  const waiting = new WaitingItems(() => undefined);
  for (const [batch, [id, ...missing]] of items.entries()) waiting.add(batch, key(id), missing.map(key));
  const names = new Map(items.flat().map((id) => [key(id), id]));
  return atOnce(waiting.cycles(most))
    .map(({ keys }) => keys.map((each) => names.get(each) ?? '').sort())
    .sort((a, b) => (a[0] ?? '').localeCompare(b[0] ?? ''));
}

describe('cycles over the batches of an import', () => {
  test('are found wherever their members are, and those that need something that is nowhere are not', () => {
    expect(
      cyclesOf([
        ['a', 'b'],
        ['x', 'nowhere'],
        ['b', 'c'],
        ['d', 'e', 'x'],
        ['c', 'a'],
        ['e', 'd'],
      ]),
    ).toEqual([['a', 'b', 'c']]);
  });

  test('of those that need each other only the first is found: the others can be applied once it is', () => {
    const ring = (name: string, ...more: string[]): [string, ...string[]][] => [
      [`${name}1`, `${name}2`, ...more],
      [`${name}2`, `${name}1`],
    ];
    expect(cyclesOf([...ring('a'), ...ring('b', 'a1'), ...ring('c', 'b2'), ['leaf', 'c1']])).toEqual([['a1', 'a2']]);
  });

  test('count every item of an identity, and one that fails leaves the others', () => {
    const twice: [string, ...string[]][] = [
      ['a', 'b'],
      ['b', 'nowhere'],
      ['b', 'a'],
    ];
    expect(cyclesOf(twice)).toEqual([['a', 'b']]);
  });

  test('with more items than can be applied together are left out, and what needs them is not taken for one', () => {
    expect(
      cyclesOf(
        [
          ['a', 'b'],
          ['b', 'c'],
          ['c', 'a'],
          ['d', 'e', 'a'],
          ['e', 'd'],
          ['x', 'y'],
          ['y', 'x'],
        ],
        2,
      ),
    ).toEqual([['x', 'y']]);
  });

  test('of a hundred thousand rows are found in one go, a long one and many short ones', () => {
    const n = 100_000;
    const waiting = new WaitingItems(() => undefined);
    for (let at = 0; at < n; at++)
      waiting.add(at % 100, key(`row ${at}`), [key(`row ${at < n / 2 ? (at + 1) % (n / 2) : at ^ 1}`)]);
    const found = atOnce(waiting.cycles(n));
    expect([found.length, Math.max(...found.map(({ items }) => items))]).toEqual([1 + n / 4, n / 2]);
    expect(found.every(({ items, keys }) => items === keys.length)).toBe(true);
  });
});

test('memory is charged, and far less than a kilobyte an item', () => {
  let [held, most] = [0, 0];
  const waiting = new WaitingItems((bytes) => {
    held += bytes;
    most = Math.max(most, held);
  });
  for (let at = 0; at < 20_000; at++) waiting.add(0, key(`some external id ${at}`), [key(`another id ${at}`)]);
  expect(most + waiting.bytesToFindCycles).toBeLessThan(20_000 * 500);
  expect(most).toBeGreaterThan(20_000 * 50);
});
