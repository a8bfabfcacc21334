import { expect, test } from 'vitest';
import { BODIES_PER_PAGE, fittingPageSize, type NewItem } from '../../../store/items/item-pages.ts';

const items = (count: number, bytes: number): NewItem[] =>
  Array.from({ length: count }, (_, n) => ({ externalId: `${n}`, body: 'x'.repeat(bytes) }));

test('a page of small items has the usual number, with or without one large item among them', () => {
  expect(fittingPageSize(items(1000, 1_000))).toBe(BODIES_PER_PAGE);
  expect(fittingPageSize([...items(500, 1_000), ...items(1, 8_000_000)])).toBe(BODIES_PER_PAGE);
});

test('a page holds fewer large items, and one of the largest', () => {
  const size = fittingPageSize(items(1000, 400_000));
  expect(size).toBeGreaterThan(20);
  expect(size * 400_000).toBeLessThanOrEqual(14 * 1024 * 1024);
  expect(fittingPageSize(items(2, 14_000_000))).toBe(1);
});
