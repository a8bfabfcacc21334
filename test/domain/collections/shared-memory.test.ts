import { expect, test } from 'vitest';
import { SharedMemory } from '../../../domain/collections/shared-memory.ts';

test('who finds too little memory gets it in the order of the requests, once others release theirs', async () => {
  const memory = new SharedMemory(100);
  const order: string[] = [];
  const take = async (owner: string, bytes: number) => {
    const held = await memory.take(owner, bytes);
    order.push(owner);
    return held;
  };
  const [a, b] = await Promise.all([take('a', 50), take('b', 40)]);
  const waiting = [take('c', 50), take('d', 10)];
  // d would fit, and waits its turn
  await Promise.resolve();
  expect(order).toEqual(['a', 'b']);
  a.resize(20);
  await Promise.resolve();
  expect(order).toEqual(['a', 'b']);
  b.release();
  b.release();
  for (const held of await Promise.all(waiting)) held.release();
  expect(order).toEqual(['a', 'b', 'c', 'd']);
  a.release();
  expect(memory.held).toBe(0);
});

test('one owner holds half of it, and keeps no other waiting', async () => {
  const memory = new SharedMemory(100);
  const first = await memory.take('a', 50);
  const second = memory.take('a', 10);
  const other = await memory.take('b', 50);
  other.release();
  first.release();
  (await second).release();
  expect(memory.held).toBe(0);
});

test('who waits too long is refused, and holds nothing', async () => {
  const memory = new SharedMemory(100, 1);
  const held = await memory.take('a', 50);
  await expect(memory.take('a', 1)).rejects.toMatchObject({ code: 'memory_exceeded' });
  held.release();
  expect(memory.held).toBe(0);
});
