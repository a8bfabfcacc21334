import { expect, test } from 'vitest';
import { atOnce, type Computation, runYielding } from '../../../domain/collections/run-yielding.ts';

function* counting(done: number[]): Computation<string> {
  for (let n = 0; n < 3; n++) {
    done.push(n);
    yield;
  }
  return 'counted';
}

test('a computation has the same result in slices as at once', async () => {
  const done: number[] = [];
  let slices = 0;
  const result = await runYielding(counting(done), async () => {
    slices += 1;
    expect(done).toHaveLength(slices);
  });
  expect([result, slices]).toEqual(['counted', 3]);
  expect(atOnce(counting([]))).toBe('counted');
});

test('an error that is thrown between two slices ends it there', async () => {
  const done: number[] = [];
  const late = new Error('late');
  const result = runYielding(counting(done), async () => {
    if (done.length === 2) throw late;
  });
  await expect(result).rejects.toBe(late);
  expect(done).toEqual([0, 1]);
});
