import { describe, expect, test } from 'vitest';
import { atOnce } from '../../../domain/collections/run-yielding.ts';
import { WaitingItems } from '../../../domain/imports/waiting-items.ts';
import { type ResourceKey, resourceKey } from '../../../domain/write/resource.ts';

const scope = { platform: 'default', tenant: 'default' };
const key = (externalId: string): ResourceKey => resourceKey(scope, 'city', externalId);

/** Items as `id: what it misses`, each of a batch of its own. */
function hopesOf(items: readonly (readonly [string, ...string[]])[], most = 100, halted: readonly string[] = []) {
  const waiting = new WaitingItems(() => undefined);
  for (const [batch, [id, ...missing]] of items.entries()) waiting.add({ batch, index: 7 }, key(id), missing.map(key));
  const nameOf = (batch: number): string => items[batch]?.[0] ?? '';
  const { cycles, batches, tooLarge } = atOnce(waiting.hopes(most, (batch) => halted.includes(nameOf(batch))));
  return {
    cycles: cycles
      .map((members) => members.map(({ batch }) => nameOf(batch)).sort())
      .sort((a, b) => (a[0] ?? '').localeCompare(b[0] ?? '')),
    hopeful: [...batches].map(nameOf).sort(),
    tooLarge,
  };
}
const cyclesOf = (...given: Parameters<typeof hopesOf>): string[][] => hopesOf(...given).cycles;

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

  test('with more items than can be applied together are left out and counted, and what needs them is not taken for one', () => {
    expect(
      hopesOf(
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
    ).toEqual({ cycles: [['x', 'y']], hopeful: ['x', 'y'], tooLarge: 3 });
  });

  test('have only the items that support each other: another row for one of their identities, which misses something, is in none', () => {
    const { cycles, hopeful } = hopesOf([
      ['a', 'b'],
      ['b', 'a'],
      ['a', 'b', 'nowhere'],
      ['c', 'gone'],
    ]);
    expect(cycles).toEqual([['a', 'b']]);
    expect(hopeful).toEqual(['a', 'b']);
  });

  test('wait for a member that a caller has suspended, and what needs them has hope; what misses something else has none', () => {
    const rows: [string, ...string[]][] = [
      ['a', 'b'],
      ['b', 'a'],
      ['leaf', 'b'],
      ['x', 'y'],
      ['y', 'x'],
      ['lost', 'nowhere'],
    ];
    const { cycles, hopeful } = hopesOf(rows, 100, ['b']);
    expect(cycles).toEqual([['x', 'y']]);
    expect(hopeful).toEqual(['a', 'b', 'leaf', 'x', 'y']);
  });

  test('of a hundred thousand rows are found in one go, a long one and many short ones', () => {
    const n = 100_000;
    const waiting = new WaitingItems(() => undefined);
    for (let at = 0; at < n; at++)
      waiting.add({ batch: at % 100, index: at }, key(`row ${at}`), [
        key(`row ${at < n / 2 ? (at + 1) % (n / 2) : at ^ 1}`),
      ]);
    const { cycles } = atOnce(waiting.hopes(n, () => false));
    expect([cycles.length, Math.max(...cycles.map((items) => items.length))]).toEqual([1 + n / 4, n / 2]);
  });
});

test('memory is charged, and far less than a kilobyte an item', () => {
  let [held, most] = [0, 0];
  const waiting = new WaitingItems((bytes) => {
    held += bytes;
    most = Math.max(most, held);
  });
  for (let at = 0; at < 20_000; at++)
    waiting.add({ batch: 0, index: at }, key(`some external id ${at}`), [key(`another id ${at}`)]);
  expect(most + waiting.bytesToFindCycles).toBeLessThan(20_000 * 500);
  expect(most).toBeGreaterThan(20_000 * 50);
});
