import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hold, tryHold } from '../../embedded/exclusive.ts';

const module = join(import.meta.dirname, '../../embedded/exclusive.ts');

test('one process at a time has a hold, and the next one after its release', async () => {
  const name = randomUUID();
  const first = await tryHold(name);
  expect(first).not.toBeNull();
  expect(await tryHold(name)).toBeNull();
  let waited = 0;
  let second: ReturnType<typeof hold> | undefined;
  await new Promise<void>((waits) => {
    second = hold(name, () => {
      waited += 1;
      waits();
    });
  });
  await first?.release();
  await (await second)?.release();
  expect(waited).toBe(1);
});

test('a hold ends with its process, even one that was killed', async () => {
  const name = randomUUID();
  const program = `
    const { tryHold } = await import(${JSON.stringify(module)});
    await tryHold(${JSON.stringify(name)});
    console.log('held');
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program]);
  await once(child.stdout, 'data');
  expect(await tryHold(name)).toBeNull();
  child.kill('SIGKILL');
  await once(child, 'exit');
  const taken = await tryHold(name);
  expect(taken).not.toBeNull();
  await taken?.release();
});
