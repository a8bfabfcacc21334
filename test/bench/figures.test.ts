import { expect, test } from 'vitest';
import { compare } from '../../bench/figures/comparison.ts';
import type { Figure } from '../../bench/figures/figures.ts';
import { lineThrough } from '../../bench/figures/least-squares.ts';
import { commandsInARow } from '../../bench/workloads/server/in-a-row.ts';

const figure = (name: string, values: number[]): Figure => ({ name, unit: 'resources/s', values });

test('two versions are compared round by round', () => {
  const { ratios } = compare(
    { contestant: 'new', figures: [figure('speed', [200, 90])] },
    { contestant: 'old', figures: [figure('speed', [100, 30])] },
  );
  expect(ratios).toMatchObject([{ name: 'speed', unit: 'x', values: [2, 3] }]);
});

test('what only one version has, and what is nothing, is not compared', () => {
  const { ratios } = compare(
    { contestant: 'new', figures: [figure('only new', [1]), figure('nothing', [1]), figure('same', [4])] },
    { contestant: 'old', figures: [figure('nothing', [0]), figure('same', [4])] },
  );
  expect(ratios).toMatchObject([{ name: 'same', values: [1] }]);
});

test('the cost of one activity is the slope of the line', () => {
  const { base, slope } = lineThrough([1, 4, 10, 1000].map((x) => ({ x, y: 150 + 11 * x })));
  expect(base).toBeCloseTo(150);
  expect(slope).toBeCloseTo(11);
});

test('a point that is far away does not decide alone', () => {
  const points = [1, 4, 10, 20, 100].map((x) => ({ x, y: 150 + 11 * x }));
  const { slope } = lineThrough([...points, { x: 1000, y: 2 * (150 + 11 * 1000) }]);
  expect(slope).toBeLessThan(16);
});

test('commands that overlap are no further round trip', () => {
  expect(
    commandsInARow([
      { begun: 0, ended: 2 },
      { begun: 1, ended: 3 },
      { begun: 2, ended: 4 },
      { begun: 0, ended: 9 },
      { begun: 9, ended: 10 },
    ]),
  ).toBe(3);
});
