import { expect, test } from 'vitest';
import { createSemaphore } from '../../../services/writes/semaphore.ts';

const LONG_MS = 60_000;

/** Work that reports when it has begun, and ends on request. */
function held(begun: string[], name: string) {
  let end: (result: string) => void = () => undefined;
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  const work = (): Promise<string> => {
    begun.push(name);
    return ended;
  };
  return { name, work, end: () => end(name) };
}

test('a tenant that comes later waits for one piece of work of a tenant with many, not for all of them', async () => {
  const semaphore = createSemaphore(1);
  const begun: string[] = [];
  const all = ['a1', 'a2', 'a3', 'b1', 'b2'].map((name) => held(begun, name));
  const results = all.map(({ name, work }) => semaphore({ fairnessKey: name.slice(0, 1), limitMs: LONG_MS, work }));
  for (const { end } of all) end();
  expect(await Promise.all(results)).toEqual(['a1', 'a2', 'a3', 'b1', 'b2']);
  expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'b2']);
});

test('a tenant holds at most its places, however long: there is one for another tenant at once', async () => {
  const semaphore = createSemaphore(3, 2);
  const begun: string[] = [];
  const all = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2'].map((name) => held(begun, name));
  const results = all.map(({ name, work }) => semaphore({ fairnessKey: name.slice(0, 1), limitMs: LONG_MS, work }));
  expect(begun).toEqual(['a1', 'a2', 'b1']);
  const endOf = (name: string) => all.find((one) => one.name === name)?.end();
  // the place of a tenant that has reached its number goes to another one
  endOf('b1');
  await expect.poll(() => begun).toEqual(['a1', 'a2', 'b1', 'b2']);
  endOf('b2');
  endOf('a1');
  await expect.poll(() => begun).toEqual(['a1', 'a2', 'b1', 'b2', 'a3']);
  for (const { end } of all) end();
  expect(await Promise.all(results)).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'b2']);
});

test('no more run than the limit allows, and a failure is reported and makes room', async () => {
  const semaphore = createSemaphore(2);
  const begun: string[] = [];
  const [one, two, three] = ['one', 'two', 'three'].map((name) => held(begun, name)) as [Held, Held, Held];
  const failing = semaphore({ fairnessKey: 'a', limitMs: LONG_MS, work: () => one.work().then(fail) });
  const others = [two, three].map(({ work }) => semaphore({ fairnessKey: 'a', limitMs: LONG_MS, work }));
  expect(begun).toEqual(['one', 'two']);
  one.end();
  await expect(failing).rejects.toThrow('it failed');
  await expect.poll(() => begun).toEqual(['one', 'two', 'three']);
  two.end();
  three.end();
  expect(await Promise.all(others)).toEqual(['two', 'three']);
});

test('work that exceeds its time limit makes room, and still returns its result', async () => {
  const semaphore = createSemaphore(1);
  const begun: string[] = [];
  const late = held(begun, 'late');
  const result = semaphore({ fairnessKey: 'a', limitMs: 5, work: late.work });
  expect(await semaphore({ fairnessKey: 'a', limitMs: LONG_MS, work: async () => 'next' })).toBe('next');
  late.end();
  expect(await result).toBe('late');
});

type Held = ReturnType<typeof held>;

function fail(): never {
  throw new Error('it failed');
}
