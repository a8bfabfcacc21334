import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { environmentIn, inProcess, MAIN, newFolder, Running, withoutColours } from './harness.ts';

let folder: string;
let servers: Server[];
let file: string;
let csv: string;
beforeEach(() => {
  folder = newFolder();
  servers = [];
  vi.stubEnv('XDG_CONFIG_HOME', folder);
  vi.stubEnv('XDG_STATE_HOME', folder);
  for (const name of ['DROVER_TOKEN', 'DROVER_TENANT', 'DROVER_URL', 'DROVER_PROFILE']) vi.stubEnv(name, '');
  file = fileOf('rows.ndjson', '{"externalId":"a"}\n');
  csv = fileOf('rows.csv', 'externalId\na\n');
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

function fileOf(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** Something that answers HTTP, and what it was asked. */
async function answering(answer: RequestListener): Promise<{ url: string; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    request.resume();
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** Every command that asks the service, as it is given. */
const asking = (): string[][] => [
  ...['list', 'pull', 'diff'].map((verb) => ['schema', verb, ...(verb === 'list' ? [] : [folder])]),
  ['schema', 'get', 's'],
  ['schema', 'delete', 's', '--yes'],
  ...['get', 'references'].map((verb) => ['resource', verb, 's', 'a']),
  ['resource', 'list', 's'],
  ['schema', 'push', fileOf('s.json', '{"name":"s","schema":{"type":"object"}}')],
  ['upload', 's', file],
  ['upload', 's', file, '--dry-run'],
  ['patch', 's', file],
  ['patch', 's', file, '--dry-run'],
  ['delete', 's', '--all', '--yes'],
  ['delete', 's', '--all', '--dry-run'],
  ['import', csv, '--schema', 's'],
  ['import', csv, '--schema', 's', '--dry-run'],
  ['export', 's'],
  ['batch', 'list'],
  ...['get', 'watch', 'items', 'suspend', 'resume', 'cancel', 'retry', 'undo', 'delete'].map((verb) => [
    'batch',
    verb,
    'b',
  ]),
  ['batch', 'undo', 'b', '--dry-run'],
  ...['suspend', 'resume', 'cancel', 'retry', 'delete'].map((verb) => ['batch', verb, '--label', 'l', '--yes']),
  ['batch', 'cancel', '--label', 'l', '--dry-run'],
  ['bulk', 'list'],
  ...['get', 'watch', 'cancel'].map((verb) => ['bulk', verb, 'b']),
  ['imports', 'list'],
  ...['get', 'watch', 'batches', 'results', 'suspend', 'resume', 'cancel', 'retry', 'delete'].map((verb) => [
    'imports',
    verb,
    'i',
  ]),
  ['imports', 'undo', 'i', '--dry-run'],
  ['webhook', 'create', 'https://example.org'],
  ['webhook', 'list'],
  ['webhook', 'update', 'w', '--enable'],
  ...['test', 'deliveries', 'rotate-secret', 'delete'].map((verb) => ['webhook', verb, 'w']),
  ['webhook', 'redeliver', 'w', 'd'],
];

/** Runs commands at the same time, without their pauses. */
async function hurried(commands: readonly string[][]) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  process.setMaxListeners(3 * commands.length);
  let left = commands.length;
  const running = commands.map((args) => inProcess(args).finally(() => (left -= 1)));
  while (left > 0) await vi.advanceTimersByTimeAsync(20_000);
  vi.useRealTimers();
  return Promise.all(running);
}

const named = (commands: readonly string[][], values: readonly unknown[]) =>
  Object.fromEntries(commands.map((args, at) => [args.slice(0, 2).join(' '), values[at]]));

test('a service that cannot be reached: every command ends with 3, with nothing on standard output and where it was looked for', async () => {
  vi.stubEnv('DROVER_URL', 'http://127.0.0.1:9');
  const commands = asking();
  const ended = await hurried(commands);
  expect(
    named(
      commands,
      ended.map(({ code }) => code),
    ),
  ).toEqual(
    named(
      commands,
      commands.map(() => 3),
    ),
  );
  for (const { out, err } of ended) {
    expect(out).toBe('');
    expect(err).toContain('is a service running at http://127.0.0.1:9?');
    expect(err).not.toContain('    at ');
  }
}, 60_000);

test('a refusal: every command ends with 1, with nothing on standard output, and says why', async () => {
  const { url } = await answering((_, response) => {
    response.writeHead(403, { 'content-type': 'application/json' });
    response.end('{"success":false,"message":"not for you","errors":["tenant: no"]}');
  });
  vi.stubEnv('DROVER_URL', url);
  const commands = asking();
  const ended = await hurried(commands);
  expect(
    named(
      commands,
      ended.map(({ code }) => code),
    ),
  ).toEqual(
    named(
      commands,
      commands.map(() => 1),
    ),
  );
  for (const { out, err } of ended) {
    expect(out).toBe('');
    expect(err).toMatch(/^drover: not for you\n {2}tenant: no\n/);
  }
}, 60_000);

describe('a token', () => {
  test('goes to no other host: a redirect is not followed, and said', async () => {
    const other = await answering((_, response) => response.end('{}'));
    for (const status of [301, 302, 307, 308]) {
      const { url } = await answering((_, response) => {
        response.writeHead(status, { location: `${other.url}/elsewhere` });
        response.end();
      });
      const given = ['--url', url, '--token', 'secret'];
      for (const args of [
        ['batch', 'list'],
        ['upload', 's', file],
        ['import', csv, '--schema', 's'],
        ['export', 's'],
      ]) {
        const { code, err } = await inProcess([...args, ...given]);
        expect([args[0], code]).toEqual([args[0], 1]);
        expect(err).toContain(`redirects to ${other.url}/elsewhere: give the address itself`);
      }
    }
    expect(other.seen).toEqual([]);
  });

  test.each(['two\nlines', 'with space', 'é'])('that is none is wrong use, and not shown: %j', async (token) => {
    vi.stubEnv('DROVER_TOKEN', token);
    const { code, err } = await inProcess(['batch', 'list']);
    expect([code, err]).toEqual([2, expect.stringContaining('characters that no token has')]);
    expect(err).not.toContain(token);
  });
});

test.each([
  ['http://ann:secret@127.0.0.1:9', 'no user and password'],
  ['http://127.0.0.1:9/?tenant=a', 'it has a query'],
  ['ftp://127.0.0.1', 'is no address'],
])('the address %s is wrong use', async (url, message) => {
  const { code, err } = await inProcess(['batch', 'list', '--url', url]);
  expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  expect(err).not.toContain('secret');
});

test('something else that answers there is no Drover: doctor says so, and ends with 3', async () => {
  for (const [status, type, body] of [
    [404, 'text/html', '<h1>'],
    [200, 'text/html', '<h1>'],
    [404, 'application/json', '{}'],
  ] as const) {
    const { url } = await answering((_, response) => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    });
    const { code, out } = await inProcess(['doctor', '--url', url]);
    expect([code, out]).toEqual([
      3,
      expect.stringMatching(/service\twrong\t(the service answers 404|the answer is no JSON)/),
    ]);
  }
});

test('bytes that are not UTF-8 are refused: replaced, they would be other data, or name other resources', async () => {
  const latin = Buffer.concat([
    Buffer.from('{"externalId":"a"}\n{"externalId":"Z'),
    Buffer.from([0xfc]),
    Buffer.from('rich"}\n'),
  ]);
  for (const args of [
    ['upload', 's'],
    ['patch', 's'],
    ['delete', 's', '--ids'],
  ]) {
    const { code, err } = await inProcess([...args, fileOf('latin.txt', latin), '--url', 'http://127.0.0.1:9']);
    expect([args[0], code, err]).toEqual([args[0], 2, expect.stringContaining('not UTF-8')]);
  }
});

test('what asks before it destroys takes the end of its input as a no', async () => {
  const { url, seen } = await answering((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(
      '{"success":true,"message":"","data":{"dryRun":true,"deletions":[],"totalDeletions":7,"skipped":0,"notFound":0}}',
    );
  });
  const { code, err } = await inProcess(['delete', 's', '--all', '--url', url], { columns: 80, keys: '' });
  expect([code, err]).toEqual([130, expect.stringContaining('nothing was changed')]);
  expect(seen).toHaveLength(1);
});

test('a reader that has seen enough ends the command without a fault, also while it follows', async () => {
  const { url } = await answering(({ url: path }, response) => {
    const batch = { batchId: 'b', status: 'processing', progress: { totalRecords: 1 } };
    response.writeHead(path?.endsWith('/events') ? 204 : 200, { 'content-type': 'application/json' });
    response.end(path?.endsWith('/events') ? '' : JSON.stringify({ success: true, message: '', data: batch }));
  });
  const command = [...MAIN, 'batch', 'watch', 'b', '--ndjson', '--url', url].map((word) => `'${word}'`).join(' ');
  const running = new Running(
    ['bash', '-c', `${command} | head -n 1; echo "\${PIPESTATUS[0]}"`],
    environmentIn(folder),
  );
  running.endInput();
  expect(await running.ended).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringMatching(/^\{.*"batchId":"b".*\}\n0\n$/),
  });
}, 60_000);

describe('Ctrl-C on a terminal ends with 130', () => {
  const running = { batchId: 'b', status: 'processing', progress: { totalRecords: 7, processedRecords: 3 } };
  const preview = { dryRun: true, deletions: [], totalDeletions: 7, skipped: 0, notFound: 0, matched: 7 };
  test.each([
    [
      ['batch', 'watch', 'b'],
      'records',
      /the batch goes on; follow it with: drover batch watch b --url \S+ --tenant t/,
    ],
    [['delete', 's', '--all'], 'Delete 7 resources for good? (y/N)', /nothing was changed/],
  ])(
    '%j, with a line that says how things stand',
    async (args, until, line) => {
      const { url, seen } = await answering(({ url: path, method }, response) => {
        const isStream = path?.endsWith('/events') === true;
        const more = {
          done: 1,
          skipped: 0,
          matched: 7,
          failed: {},
          sealed: false,
          createdAt: '2026-11-28T00:00:00.000Z',
        };
        const data = method === 'POST' ? preview : { ...running, ...more };
        response.writeHead(isStream ? 204 : 200, { 'content-type': 'application/json' });
        response.end(isStream ? '' : JSON.stringify({ success: true, message: '', data }));
      });
      const command = new Running([...MAIN, ...args, '--url', url, '--tenant', 't'], environmentIn(folder), 100);
      await expect.poll(() => command.output, { timeout: 30_000 }).toContain(until);
      command.type('\u0003');
      const { code, out } = await command.ended;
      expect([code, withoutColours(out)]).toEqual([130, expect.stringMatching(line)]);
      // what asks has asked for numbers alone
      if (until.includes('(y/N)')) expect(seen).toHaveLength(1);
    },
    60_000,
  );
});

test('control characters of a service do nothing on a terminal, as text and as JSON', async () => {
  const evil = 'a\u001b]0;x\u0007\u009b2J';
  const { url } = await answering((_, response) => {
    response.setHeader('content-type', 'application/json');
    const webhook = { webhookId: evil, status: evil, url: evil, secret: evil, events: [evil] };
    const page = { results: [webhook], pagination: { hasNextPage: false, total: 1, cursor: null } };
    response.end(JSON.stringify({ success: true, message: '', data: { ...webhook, ...page } }));
  });
  for (const args of [
    ['webhook', 'list'],
    ['webhook', 'rotate-secret', 'w'],
  ]) {
    for (const form of [[], ['--json'], ['--ndjson']]) {
      const { code, out } = await inProcess([...args, ...form, '--url', url], { columns: 80 });
      expect([code, withoutColours(out)]).toEqual([0, expect.not.stringMatching(/[^\P{Cc}\n]/u)]);
      if (form.length > 0) expect(out).toContain('\\u009b');
    }
  }
});
