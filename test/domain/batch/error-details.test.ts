import { expect, test } from 'vitest';
import { addErrorDetails, type ErrorDetails } from '../../../domain/batch/error-details.ts';
import type { ItemError } from '../../../domain/batch/outcome.ts';

const failed = (index: number, ...messages: string[]): [number, { errors: ItemError[] }] => [
  index,
  { errors: messages.map((message) => ({ code: 'validation', message })) },
];

test('a batch shows the messages of its first 100 items with errors, and no more', () => {
  const details: ErrorDetails = {};
  const page = (first: number) =>
    Array.from({ length: 60 }, (_, n) => (n % 2 ? failed(first + n, `m${first + n}`) : ([first + n, {}] as const)));
  expect(addErrorDetails(details, page(0))).toBe(true);
  for (const first of [60, 120, 180]) addErrorDetails(details, page(first));
  expect(addErrorDetails(details, page(240))).toBe(false);
  expect(Object.keys(details)).toEqual(Array.from({ length: 100 }, (_, n) => String(2 * n + 1)));
});

test('several messages of one item are joined to one of bounded length', () => {
  const details: ErrorDetails = {};
  addErrorDetails(details, [failed(3, 'a', 'b'), failed(4, 'x'.repeat(5000), 'y')]);
  expect(details[3]).toBe('a; b');
  expect(details[4]?.length).toBe(1001);
});
