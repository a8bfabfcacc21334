import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Interruption } from '../../../domain/collections/interruption.ts';

test('ends what is waited for, and what is waited for later, with the first error; what was done before stays', async () => {
  const ended = new Interruption();
  expect(await ended.during(Promise.resolve('done'))).toBe('done');
  await expect(ended.during(Promise.reject(new Error('own')))).rejects.toThrow('own');
  const waiting = ended.during(new Promise(() => undefined));
  ended.interrupt(new Error('first'));
  ended.interrupt(new Error('second'));
  await expect(waiting).rejects.toThrow('first');
  await expect(ended.during(Promise.reject(new Error('own')))).rejects.toThrow('first');
});

test('holds nothing of what was waited for', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const ended = new Interruption();
  const results: WeakRef<object>[] = [];
  for (let n = 0; n < 500; n++) {
    const result = { n };
    results.push(new WeakRef(result));
    await ended.during(Promise.resolve(result));
  }
  await setImmediate();
  collectGarbage();
  expect(results.filter((result) => result.deref() !== undefined).length).toBeLessThan(5);
  ended.interrupt(new Error('over'));
});
