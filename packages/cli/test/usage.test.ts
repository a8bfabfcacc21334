import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { committedDocs, generateDocs } from '../generate-docs.ts';
import { inProcess, newFolder } from './harness.ts';

let folder: string;
beforeEach(() => {
  folder = newFolder();
  vi.stubEnv('XDG_CONFIG_HOME', folder);
  vi.stubEnv('DROVER_TOKEN', '');
  vi.stubEnv('DROVER_TENANT', '');
  // nothing listens there
  vi.stubEnv('DROVER_URL', 'http://127.0.0.1:9');
  return () => vi.unstubAllEnvs();
});

const fileOf = (name: string, text: string): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};

describe('wrong use ends with 2, and one line that says what is wrong', () => {
  test.each([
    [['uplod', 'city', 'x'], 'Did you mean upload?'],
    [['batch', 'lst'], 'Did you mean list?'],
    [['batch', 'list', '--statos', 'failed'], 'Did you mean --status?'],
    [['batch', 'list', '--status', 'done'], 'Allowed choices are queued'],
    [['batch', 'list', '--limit', '0'], 'a whole number from 1, or all'],
    [['batch', 'list', '--status', 'failed,done'], 'several with commas'],
    [['batch', 'list', '--created-after', 'yesterday'], 'a date, or a time with its zone'],
    // a script whose variable is not set would hit more than it means
    [['batch', 'delete', '--status', 'failed', '--label', '', '--yes'], 'It is empty'],
    [['batch', 'delete', 'b', '--tenant', '', '--yes'], '--tenant is empty'],
    [['batch', 'cancel', '--url='], '--url is empty'],
    [['batch', 'delete', '', '--yes'], 'batch is empty'],
    [['import', tmpdir(), '--schema', 'city', '--format', 'csv'], 'is a folder'],
    [['upload', 'city', tmpdir()], 'is a folder'],
    [['webhook', 'update', 'w'], 'say what to change'],
    [['webhook', 'update', 'w', '--enable', '--disable'], 'cannot be used with'],
    [['batch', 'cancel'], 'either the id of a batch, or filters'],
    [['batch', 'cancel', '--yes'], 'either the id of a batch, or filters'],
    [['batch', 'cancel', 'b', '--label', 'x'], 'either the id of a batch, or filters'],
    [['batch', 'delete', 'b', '--dry-run'], 'either the id of a batch, or filters'],
    [['upload', 'city', 'x', '--priority', '6'], 'a whole number from 1 to 5'],
    [['import', 'x.csv', '--resume', 'i', '--dry-run'], 'either --resume ID, or --dry-run'],
    [['batch', 'get'], "missing required argument 'batch'"],
    [['batch', 'list', '--json', '--ndjson'], 'either --json or --ndjson'],
    [['batch', 'list', '--url', 'drover.example.org'], 'drover.example.org is no address'],
    [['batch', 'list', '--profile', 'mine'], 'there is no profile mine'],
    [['upload', 'city', '/nowhere/cities.ndjson'], 'ENOENT'],
    [['delete', 'city'], 'either --ids FILE, or --all'],
    [['delete', 'city', '--all', '--ids', 'x'], 'either --ids FILE, or --all'],
    [['import', '--resume', 'unknown'], 'import unknown was not begun here'],
    [['import', 'cities.txt', '--schema', 'city'], 'does not say its format'],
    [['import', 'cities.csv', '--schema', 'city', '--map', 'name'], 'COLUMN=FIELD'],
    [['token'], 'JWT_SECRET is not set'],
  ])('%j', async (args, message) => {
    const { code, out, err } = await inProcess(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
    expect(err).not.toContain('    at ');
  });

  test.each([
    ['{"a":1}\n\nnot json\n', 'line 3 is no JSON'],
    ['{"a":1}\n7\n', 'line 2 is no JSON object'],
    ['[{"a":1}]', "jq -c '.[]'"],
  ])('a file that holds no resources: %j', async (text, message) => {
    const { code, err } = await inProcess(['upload', 'city', fileOf('x.ndjson', text)]);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });
});

test.each([
  [['upload', 'city'], '{"a":1}\n7\n', 'line 2 is no JSON object'],
  [['import', '--format', 'csv'], '', 'pipe is empty'],
])('%j reads the pipe of a shell, too, and only once', async (command, content, message) => {
  const pipe = join(folder, 'pipe');
  execFileSync('sh', ['-c', 'mkfifo "$0"', pipe]);
  const [{ code, err }] = await Promise.all([inProcess([...command, pipe], { columns: 80 }), writeFile(pipe, content)]);
  expect([code, err]).toEqual([2, expect.stringContaining(message)]);
});

test('an empty file is wrong use, and starts no import', async () => {
  const { code, err } = await inProcess(['import', fileOf('empty.csv', ''), '--schema', 'city']);
  expect([code, err]).toEqual([2, expect.stringContaining('empty.csv is empty')]);
});

test('a failure says how to go on, with all options but the token', async () => {
  const file = fileOf('rows.ndjson', '{"externalId":"a"}\n');
  const options = ['--tenant', "o'neil", '--token=secret', '--onconflict', 'reject', '--key', 'mine', '--batch-size=7'];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  const running = inProcess(['upload', 'city', file, ...options]);
  let isOver = false;
  void running.finally(() => (isOver = true));
  while (!isOver) await vi.advanceTimersByTimeAsync(20_000);
  vi.useRealTimers();
  const { code, err } = await running;
  expect(code).toBe(3);
  expect(err).toContain(
    `to continue: drover upload city ${file} --tenant 'o'\\''neil' --onconflict reject --batch-size=7 --key mine\n`,
  );
  expect(err).not.toContain('secret');
});

test('a service that cannot be reached ends with 3, and with where it was looked for', async () => {
  expect(await inProcess(['batch', 'cancel', 'b'])).toMatchObject({
    code: 3,
    err: expect.stringContaining('is a service running at http://127.0.0.1:9?'),
  });
  const doctor = await inProcess(['doctor', '--json']);
  expect(doctor.code).toBe(3);
  expect(JSON.parse(doctor.out)).toEqual([{ check: 'service', state: 'wrong', detail: expect.any(String) }]);
}, 30_000);

test('every command has a summary and examples in its help', async () => {
  expect(await inProcess([])).toMatchObject({ code: 2, err: expect.stringContaining('Commands:') });
  const text = await generateDocs();
  const sections = text.split(/^## /m).slice(1);
  expect(sections.length).toBeGreaterThan(35);
  const groups = [
    'drover',
    'drover schema',
    'drover batch',
    'drover bulk',
    'drover resource',
    'drover imports',
    'drover profile',
    'drover webhook',
  ];
  const without = sections.filter((section) => !section.includes('Examples:')).map((section) => section.split('\n')[0]);
  expect(without.filter((name) => !groups.includes(name ?? ''))).toEqual([]);
});

test('docs/cli.md has the help of every command (npm run cli:docs)', async () => {
  expect(await committedDocs()).toBe(await generateDocs());
});

test.each(['bash', 'zsh', 'fish'])('completions of %s name the command, which answers them', async (shell) => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const script = await inProcess(['complete', shell]);
  const printed = `${script.out}${log.mock.calls.flat().join('\n')}`;
  expect(script.code).toBe(0);
  expect(printed).toContain('drover complete --');
  log.mockClear();
  await inProcess(['complete', '--', 'batch', 'wa']);
  expect(log.mock.calls.flat().join('\n')).toContain('watch');
  log.mockRestore();
});

test('token makes one that the secret verifies, with the claims that were asked for', async () => {
  const secret = 'a secret of tests that is long enough';
  vi.stubEnv('JWT_SECRET', secret);
  vi.stubEnv('JWT_ISSUER', 'https://issuer.test');
  const { code, out } = await inProcess(['token', '--tenant', 'acme', '--expires', '15m', '--subject', 'ann']);
  expect(code).toBe(0);
  const { payload } = await jwtVerify(out.trim(), new TextEncoder().encode(secret), { issuer: 'https://issuer.test' });
  expect(payload).toMatchObject({ platform: 'default', scope: 'tenant', tenant: 'acme', sub: 'ann' });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(900);
  const platform = await inProcess(['token', '--scope', 'platform', '--json']);
  const { token } = JSON.parse(platform.out) as { token: string };
  expect((await jwtVerify(token, new TextEncoder().encode(secret))).payload).not.toHaveProperty('tenant');
});
