import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { connectionOf } from '../src/settings/connection.ts';
import { inProcess, newFolder } from './harness.ts';

let file: string;
beforeEach(() => {
  const folder = newFolder();
  vi.stubEnv('XDG_CONFIG_HOME', folder);
  vi.stubEnv('DROVER_URL', '');
  vi.stubEnv('DROVER_TOKEN', '');
  vi.stubEnv('DROVER_TENANT', '');
  file = join(folder, 'drover', 'config.json');
  return () => vi.unstubAllEnvs();
});

const set = (name: string, ...args: string[]) => inProcess(['profile', 'set', name, ...args]);

test('a flag goes before a named profile, that before the environment, and that before the profile in use', async () => {
  expect(await connectionOf({}, {})).toEqual({ url: 'http://127.0.0.1:8080' });
  await set('home', '--url', 'http://home.test', '--tenant', 'home', '--token', 'secret');
  await set('work', '--url', 'http://work.test');
  const environment = { DROVER_URL: 'http://environment.test' };
  expect(await connectionOf({}, {})).toEqual({ url: 'http://home.test', tenant: 'home', token: 'secret' });
  // the token and the tenant of a profile are not for another address
  expect(await connectionOf({}, environment)).toEqual({ url: 'http://environment.test' });
  expect(await connectionOf({ url: 'http://other.test' }, { ...environment, DROVER_TOKEN: 'theirs' })).toEqual({
    url: 'http://other.test',
  });
  expect(await connectionOf({ url: 'http://home.test' }, environment)).toMatchObject({ token: 'secret' });
  expect(await connectionOf({}, { DROVER_TOKEN: 'mine' })).toMatchObject({ url: 'http://home.test', token: 'mine' });
  expect(await connectionOf({ profile: 'work' }, environment)).toEqual({ url: 'http://work.test' });
  expect(await connectionOf({ profile: 'work', url: 'http://flag.test' }, environment)).toEqual({
    url: 'http://flag.test',
  });
  expect(await connectionOf({}, { DROVER_PROFILE: 'work' })).toEqual({ url: 'http://work.test' });
  await inProcess(['profile', 'use', 'work']);
  expect(await connectionOf({}, {})).toEqual({ url: 'http://work.test' });
});

test('profiles are kept for their user alone, listed without tokens, and removed', async () => {
  await set('home', '--url', 'http://home.test', '--token', 'secret');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700);
  chmodSync(file, 0o600);
  await set('home', '--tenant', 'acme');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
    current: 'home',
    profiles: { home: { url: 'http://home.test', token: 'secret', tenant: 'acme' } },
  });
  const list = await inProcess(['profile', 'list', '--json']);
  expect(JSON.parse(list.out)).toEqual([
    { name: 'home', isCurrent: true, hasToken: true, url: 'http://home.test', tenant: 'acme' },
  ]);
  expect((await inProcess(['profile', 'remove', 'home'])).code).toBe(0);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ profiles: {} });
  expect((await inProcess(['profile', 'use', 'home'])).code).toBe(2);
});

test('a profile may have any name, and one that is not there is none, also if every object has it', async () => {
  for (const name of ['constructor', '__proto__', 'toString']) {
    await expect(connectionOf({ profile: name }, {})).rejects.toThrow(`there is no profile ${name}`);
    expect((await inProcess(['profile', 'use', name])).code).toBe(2);
    await set(name, '--url', `http://${name.toLowerCase().replaceAll('_', '')}.test`);
    expect((await inProcess(['profile', 'use', name])).code).toBe(0);
    expect((await connectionOf({}, {})).url).toMatch(/^http:\/\/(constructor|proto|tostring)\.test$/);
  }
  const list = await inProcess(['profile', 'list', '--json']);
  expect((JSON.parse(list.out) as { name: string }[]).map(({ name }) => name)).toEqual([
    'constructor',
    '__proto__',
    'toString',
  ]);
  await inProcess(['profile', 'remove', '__proto__']);
  await expect(connectionOf({ profile: '__proto__' }, {})).rejects.toThrow('there is no profile');
});

test('a file with tokens that others can read is refused', async () => {
  await set('home', '--token', 'secret');
  chmodSync(file, 0o644);
  const { code, err } = await inProcess(['profile', 'list']);
  expect([code, err]).toEqual([2, expect.stringContaining(`chmod 600 ${file}`)]);
});
