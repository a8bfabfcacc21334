import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freePort, isFree, onFreePort } from '../../embedded/ports.ts';
import { run, startServer } from '../../embedded/processes.ts';

const module = join(import.meta.dirname, '../../embedded/processes.ts');

/** A server of one line of code that answers with its pid. */
function serverOn(port: number, before = ''): { command: string; args: string[] } {
  const program = `${before};require('node:http').createServer((_, a) => a.end(String(process.pid))).listen(${port}, '127.0.0.1')`;
  return { command: process.execPath, args: ['--eval', program] };
}

async function pidBehind(port: number): Promise<number> {
  return Number(await (await fetch(`http://127.0.0.1:${port}`)).text());
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100 && isAlive(pid); tries++) await sleep(100);
  return !isAlive(pid);
}

test('a server can be killed, restarted at its address, and stopped; its pid is that of the server itself', async () => {
  const port = await freePort();
  const server = await startServer({
    name: 'a server',
    ...serverOn(port),
    answers: async () => void (await pidBehind(port)),
  });
  const first = server.pid;
  expect(await pidBehind(port)).toBe(first);
  await server.kill();
  expect(server.pid).toBeNull();
  await server.restart();
  expect(await pidBehind(port)).toBe(server.pid);
  expect(server.pid).not.toBe(first);
  await server.stop();
  expect(server.pid).toBeNull();
  await server.stop();
});

test('a server that exits at its start is an error with its last output', async () => {
  const starting = startServer({
    name: 'a server',
    command: process.execPath,
    args: ['--eval', 'console.error("no such folder"); process.exit(3)'],
    answers: () => Promise.reject(new Error('silent')),
  });
  await expect(starting).rejects.toThrow('a server ended at its start (3): no such folder');
});

test('a server ends with the process that started it, even if that was killed', async () => {
  const port = await freePort();
  const parent = startParent(port);
  try {
    await once(parent.stdout ?? process.stdin, 'data');
    const pid = await pidBehind(port);
    parent.kill('SIGKILL');
    expect(await gone(pid)).toBe(true);
  } finally {
    parent.kill('SIGKILL');
  }
});

/** A process that starts a server which ignores SIGTERM. */
function startParent(port: number): ChildProcess {
  const server = serverOn(port, 'process.on("SIGTERM", () => undefined)');
  const program = `
    const { startServer } = await import(${JSON.stringify(module)});
    await startServer({
      name: 'a server',
      ...${JSON.stringify(server)},
      answers: async () => void (await fetch('http://127.0.0.1:${port}')),
    });
    console.log('started');
  `;
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program]);
}

test('a program that fails is an error with its output, and one that hangs is ended', async () => {
  const failing = run(process.execPath, ['--eval', 'console.log("disk full"); process.exit(1)'], { timeoutMs: 10_000 });
  await expect(failing).rejects.toThrow('disk full');
  const hanging = run(process.execPath, ['--eval', 'setInterval(() => undefined, 1000)'], { timeoutMs: 300 });
  await expect(hanging).rejects.toThrow('SIGKILL');
});

test('a preferred port is used if it is free, and another one if it is not', async () => {
  const port = await freePort();
  expect(await freePort(port)).toBe(port);
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  expect(await isFree(port, '127.0.0.1')).toBe(false);
  expect(await freePort(port)).not.toBe(port);
  other.close();
});

test('a server that finds its port taken is started on another one', async () => {
  const port = await freePort();
  const tried: number[] = [];
  const started = await onFreePort(port, async (free) => {
    tried.push(free);
    if (tried.length === 1) throw new Error('bind: address already in use');
    return 'up';
  });
  expect(started).toBe('up');
  expect(tried[0]).toBe(port);
  await expect(onFreePort(undefined, () => Promise.reject(new Error('no memory')))).rejects.toThrow('no memory');
});
