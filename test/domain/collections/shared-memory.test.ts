import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SharedMemory } from '../../../domain/collections/shared-memory.ts';

const holder = (owner: string, end: () => void = () => undefined) => ({ owner, end });

test('an owner gets half of what others leave, however many there are; who finds too little gets it once others release theirs', async () => {
  const memory = new SharedMemory(800);
  const order: string[] = [];
  const take = async (owner: string, bytes: number) => {
    const held = await memory.take(holder(owner), bytes);
    order.push(owner);
    held.measured(bytes);
    return held;
  };
  const held = [await take('a', 400), await take('b', 200), await take('c', 100), await take('d', 50)];
  const waiting = [take('a', 1), take('b', 1), take('e', 30)];
  for (let n = 0; n < 5; n++) await Promise.resolve();
  // the last of them has what it needs, and waits for nobody
  held.push(await take('f', 20));
  expect(order).toEqual(['a', 'b', 'c', 'd', 'f']);
  held[0]?.release();
  held[0]?.release();
  held.push(...(await Promise.all(waiting)));
  expect(order).toEqual(['a', 'b', 'c', 'd', 'f', 'a', 'b', 'e']);
  for (const one of held) one.release();
  expect(memory.held).toBe(0);
});

test('few are read at a time whose size is not known, and fewer of one owner', async () => {
  const memory = new SharedMemory(1_000_000);
  let started = 0;
  const take = async (owner: string) => {
    const held = await memory.take(holder(owner), 1);
    started += 1;
    return held;
  };
  const taken = ['a', 'a', 'a', 'b', 'b', 'b', 'c'].map(take);
  for (let n = 0; n < 5; n++) await Promise.resolve();
  expect(started).toBe(4);
  const [first, second] = [await taken[0], await taken[1]];
  first?.measured(1);
  second?.release();
  for (let n = 0; n < 5; n++) await Promise.resolve();
  expect(started).toBe(6);
  first?.release();
  for (const held of taken.slice(2)) (await held).release();
  expect([started, memory.held]).toEqual([7, 0]);
});

test('who holds memory for long while another waits is ended, of the owner with most of it first; who reads on is not', async () => {
  const memory = new SharedMemory(100, { patienceMs: 10, maxHeldMs: 60 });
  const ended: string[] = [];
  const hold = async (name: string, owner: string, bytes: number) => {
    const held = await memory.take(
      holder(owner, () => {
        ended.push(name);
        held.release();
      }),
      1,
    );
    held.measured(bytes);
    return held;
  };
  await hold('small', 'a', 10);
  await hold('first of many', 'b', 40);
  await hold('second of many', 'b', 45);
  const waited = await memory.take(holder('c'), 20);
  expect(ended).toEqual(['first of many']);
  waited.release();
});

test('who waits too long is refused, and holds nothing', async () => {
  const memory = new SharedMemory(100, { maxWaitMs: 1 });
  const held = await memory.take(holder('a'), 50);
  held.measured(50);
  await expect(memory.take(holder('a'), 1)).rejects.toMatchObject({ code: 'memory_exceeded' });
  held.release();
  expect(memory.held).toBe(0);
  await sleep(5);
});
