import { createHash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { createDrover, DroverError, type ImportFileOptions, JsonText, parseNdjson, piecesOf } from '../src/index.ts';

const envelope = (status: number, data: object, headers: Record<string, string> = {}): Response =>
  Response.json({ success: status < 400, message: '', data }, { status, headers });

/** A service that accepts batches by their keys; each finishes when its status is asked for, unless it waits. */
class FakeService {
  readonly batches = new Map<string, { id: string; resources: { id: number }[]; waits: boolean }>();
  readonly requests: string[] = [];
  atWork = 0;
  mostAtWork = 0;
  /** Batches, in the order of acceptance, that wait until all of them are there. */
  waiting = new Set<number>();
  /** No batch begins before there are so many. */
  queuedUntil = 0;
  /** Answers before the service answers for itself. */
  failures: (Response | Error)[] = [];

  readonly fetch = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith('/events')) return new Response(null, { status: 204 });
    if (request.method !== 'GET') {
      this.requests.push(request.headers.get('idempotency-key') ?? '');
      const body = await request.text();
      const failure = this.failures.shift();
      if (failure instanceof Error) {
        // the request has arrived: only its answer is lost
        this.accept(request.headers.get('idempotency-key') ?? '', body);
        throw failure;
      }
      if (failure) return failure;
      const batchId = this.accept(request.headers.get('idempotency-key') ?? '', body);
      this.mostAtWork = Math.max(this.mostAtWork, ++this.atWork);
      return envelope(202, { batchId });
    }
    const id = pathname.split('/').at(-1) ?? '';
    const batch = [...this.batches.values()].find((one) => one.id === id);
    if (batch === undefined) return envelope(404, { error: 'no batch' });
    await new Promise((resolve) => setTimeout(resolve, 2));
    this.atWork -= 1;
    const total = batch.resources.length;
    const counts = { queued: 0, pending: 0, succeeded: total, failed: 0, expired: 0, skipped: 0, cancelled: 0 };
    const actions = { created: total, updated: 0, unchanged: 0, deleted: 0, cascaded: 0 };
    const isQueued = this.batches.size < this.queuedUntil;
    const status = isQueued ? 'queued' : batch.waits && this.batches.size < 6 ? 'waiting' : 'success';
    return envelope(200, { batchId: id, status, counts, actions, progress: { totalRecords: total } });
  };

  accept(key: string, body: string): string {
    const known = this.batches.get(key);
    if (known) return known.id;
    const { resources } = JSON.parse(body) as { resources: { id: number }[] };
    const id = `b${this.batches.size}`;
    this.batches.set(key, { id, resources, waits: this.waiting.has(this.batches.size) });
    return id;
  }

  client(retry: { attempts: number } | false = false) {
    return createDrover({ url: 'http://drover.test', fetch: this.fetch, retry });
  }
}

const numbered = function* (count: number): Generator<{ id: number }> {
  for (let id = 0; id < count; id++) yield { id };
};
const lost = () => new TypeError('fetch failed', { cause: new Error('ECONNRESET') });
/** Runs without the pauses of the client. */
async function hurried<T>(run: () => Promise<T>): Promise<T> {
  vi.useFakeTimers();
  try {
    let isOver = false;
    const running = run().finally(() => (isOver = true));
    running.catch(() => undefined);
    while (!isOver) await vi.advanceTimersByTimeAsync(1_000);
    return await running;
  } finally {
    vi.useRealTimers();
  }
}
const unavailable = (status = 503) => envelope(status, {}, { 'retry-after': '0' });

describe('uploadAll', () => {
  test('cuts any number of resources into batches, some of them at work at a time, and sums up what became of them', async () => {
    const service = new FakeService();
    const seen: number[] = [];
    const summary = await service.client().uploadAll('city', numbered(2_345), {
      inFlight: 2,
      batchSize: 500,
      onBatch: ({ first, state }) => state && seen.push(first),
    });
    expect(summary).toMatchObject({
      total: 2_345,
      counts: { succeeded: 2_345, failed: 0 },
      actions: { created: 2_345 },
    });
    expect(summary.batchIds).toEqual(['b0', 'b1', 'b2', 'b3', 'b4']);
    expect(service.mostAtWork).toBe(2);
    expect([...service.batches.values()].flatMap(({ resources }) => resources)).toEqual([...numbered(2_345)]);
    expect(seen.sort((a, b) => a - b)).toEqual([0, 500, 1000, 1500, 2000]);
  });

  test('outlasts a service that is away, and lost answers: nothing is sent under a second key', async () => {
    const service = new FakeService();
    service.failures = [unavailable(), lost(), unavailable(502), unavailable(429), lost()];
    const { total, key } = await hurried(() =>
      service.client().uploadAll('city', numbered(40), { batchSize: 10, inFlight: 1 }),
    );
    expect(total).toBe(40);
    expect([...service.batches.keys()]).toEqual([0, 1, 2, 3].map((n) => `${key}-${n}`));
    expect(service.requests).toHaveLength(9);
  });

  test('a later run under the same key starts no batch twice', async () => {
    const service = new FakeService();
    const stop = new AbortController();
    const run = service.client().uploadAll('city', numbered(60), {
      key: 'mine',
      batchSize: 10,
      inFlight: 2,
      signal: stop.signal,
      onBatch: ({ first, state }) => first === 20 && state && stop.abort(new Error('stopped')),
    });
    await expect(run).rejects.toThrow('stopped');
    expect(service.batches.size).toBeLessThan(6);
    expect(await service.client().uploadAll('city', numbered(60), { key: 'mine', batchSize: 10 })).toMatchObject({
      total: 60,
      counts: { succeeded: 60 },
    });
    expect(service.batches.size).toBe(6);
  });

  test('a batch that waits for what later ones bring holds up nobody', async () => {
    const service = new FakeService();
    service.waiting = new Set([0, 1]);
    const summary = await service.client().uploadAll('city', numbered(60), { batchSize: 10, inFlight: 1 });
    expect(summary).toMatchObject({ total: 60, counts: { succeeded: 60 } });
    expect(summary.batchIds).toEqual(['b0', 'b1', 'b2', 'b3', 'b4', 'b5']);
  });

  test('detached, it ends once all is accepted; batches of a later time hold up nobody', async () => {
    const service = new FakeService();
    const detached = await service.client().uploadAll('city', numbered(25), { batchSize: 10, detach: true });
    expect(detached).toMatchObject({ total: 25, counts: { queued: 25, succeeded: 0 }, batchIds: ['b0', 'b1', 'b2'] });
    expect(service.requests).toHaveLength(3);
    const later = new FakeService();
    later.queuedUntil = 6;
    const startAt = new Date(Date.now() + 3_600_000).toISOString();
    const summary = await later.client().uploadAll('city', numbered(60), { batchSize: 10, inFlight: 1, startAt });
    expect(summary).toMatchObject({ total: 60, counts: { succeeded: 60 } });
  });

  test('a refusal, and a source that fails, end it', async () => {
    const service = new FakeService();
    service.failures = [
      Response.json({ success: false, message: 'no', errors: ['resources[0]: no'] }, { status: 400 }),
    ];
    const refused = service.client().uploadAll('city', numbered(10));
    await expect(refused).rejects.toMatchObject({ status: 400, errors: ['resources[0]: no'] });
    const broken = (async function* () {
      yield { id: 1 };
      throw new Error('the file ends here');
    })();
    await expect(service.client().uploadAll('city', broken)).rejects.toThrow('the file ends here');
  });

  test('gives up on a service that stays away', async () => {
    const service = new FakeService();
    service.failures = Array.from({ length: 50 }, () => unavailable());
    const run = service.client().uploadAll('city', numbered(1), { patienceMs: 0 });
    await expect(run).rejects.toMatchObject({ status: 503 });
  });

  test('text is sent as it is: no digit of a number is lost', async () => {
    const bodies: string[] = [];
    const client = createDrover({
      url: 'http://drover.test',
      fetch: async (request) => {
        bodies.push(await request.text());
        return envelope(202, { batchId: 'b' });
      },
    });
    await client.resources.upload('city', [new JsonText('{"n":9007199254740993}'), { n: 1 }]);
    expect(bodies).toEqual(['{"resources":[{"n":9007199254740993},{"n":1}]}']);
  });
});

/** A service that keeps the parts of one import. */
class FakeImports {
  readonly parts = new Map<number, string>();
  readonly starts: string[] = [];
  /** Whether it says which parts it has. */
  lists = true;
  sealed = 0;
  sends = 0;
  failures: (Response | Error)[] = [];

  readonly fetch = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const [, part] = /\/parts\/(\d+)$/.exec(pathname) ?? [];
    const body = await request.text();
    if (pathname.endsWith('/parts')) return this.#list();
    if (pathname === '/api/imports') {
      this.starts.push(search);
      return envelope(201, { importId: 'i' });
    }
    if (part !== undefined) {
      this.sends += 1;
      this.parts.set(Number(part), body);
    }
    const failure = this.failures.shift();
    if (failure instanceof Error) throw failure;
    if (failure) return failure;
    if (pathname.endsWith('/seal')) this.sealed = (JSON.parse(body) as { parts: number }).parts;
    return envelope(part === undefined ? 200 : 201, {});
  };

  #list(): Response {
    if (!this.lists) return Response.json({ success: false, message: 'no such path' }, { status: 404 });
    const results = [...this.parts].map(([part, text]) => ({
      part,
      bytes: Buffer.byteLength(text),
      sha256: createHash('sha256').update(text).digest('hex'),
    }));
    return envelope(200, { results, pagination: { hasNextPage: false, total: results.length, cursor: null } });
  }

  run(source: Parameters<ReturnType<typeof createDrover>['import']>[0], options: Partial<ImportFileOptions> = {}) {
    return createDrover({ url: 'http://drover.test', fetch: this.fetch, retry: false }).import(source, {
      schema: 'city',
      partBytes: 10,
      ...options,
    });
  }

  get content(): string {
    return [...this.parts]
      .sort(([a], [b]) => a - b)
      .map(([, text]) => text)
      .join('');
  }
}

describe('import', () => {
  const TEXT = 'name\nBern\nBrüssel\nParis\n';

  test.each([
    ['a file', () => new File([TEXT], 'cities.csv')],
    ['a stream', () => new Blob([TEXT]).stream()],
    [
      'pieces of text',
      async function* () {
        yield* TEXT;
      },
    ],
  ])('%s is sent in parts of the same size, and sealed', async (_, source) => {
    const service = new FakeImports();
    const progress: number[] = [];
    const options = {
      format: 'csv',
      columns: { Name: 'name' },
      onProgress: (bytes: number) => progress.push(bytes),
    } as const;
    expect(await service.run(source(), options)).toBe('i');
    expect(service.content).toBe(TEXT);
    expect(service.sealed).toBe(3);
    expect(progress.at(-1)).toBe(Buffer.byteLength(TEXT));
    expect(new URLSearchParams(service.starts[0]).get('columns')).toBe('{"Name":"name"}');
  });

  test('lost answers and refusals for a while repeat one part, and the seal', async () => {
    const service = new FakeImports();
    service.failures = [lost(), unavailable(), unavailable(502), lost()];
    await hurried(() => service.run(new Blob([TEXT], { type: 'text/csv' }), { inFlight: 1 }));
    expect([service.content, service.sealed, service.sends]).toEqual([TEXT, 3, 7]);
    expect(service.starts).toHaveLength(1);
  });

  test('one that was begun before is continued under its id', async () => {
    const service = new FakeImports();
    const ids: string[] = [];
    await service.run(new Blob([TEXT]), { format: 'csv', resume: 'i', onStart: (id) => ids.push(id) });
    expect([service.starts, ids, service.sealed]).toEqual([[], ['i'], 3]);
  });

  test.each([
    { has: [1, 3], differs: [], lists: true, sends: 1 },
    { has: [1, 2, 3], differs: [], lists: true, sends: 0 },
    { has: [1, 2, 3], differs: [2], lists: true, sends: 1 },
    { has: [1, 2], differs: [], lists: false, sends: 3 },
  ])('one that is continued sends the rest, and what differs: %j', async ({ has, differs, lists, sends }) => {
    const service = new FakeImports();
    await service.run(new Blob([TEXT]), { format: 'csv' });
    for (const part of [1, 2, 3]) if (!has.includes(part)) service.parts.delete(part);
    for (const part of differs) service.parts.set(part, 'x'.repeat(10));
    Object.assign(service, { sends: 0, lists });
    const progress: number[] = [];
    const onProgress = (bytes: number) => progress.push(bytes);
    await service.run(new Blob([TEXT]), { format: 'csv', resume: 'i', onProgress });
    expect([service.content, service.sealed, service.sends]).toEqual([TEXT, 3, sends]);
    expect(progress.at(-1)).toBe(Buffer.byteLength(TEXT));
  });

  test('a source that says no format, or is empty, is an error', async () => {
    const service = new FakeImports();
    await expect(service.run(new Blob([TEXT]))).rejects.toThrow('ndjson or csv');
    await expect(service.run(new Blob([]), { format: 'csv' })).rejects.toThrow('nothing to import');
    expect(service.sealed).toBe(0);
  });
});

describe('previewImport', () => {
  const preview = { dryRun: true, isWhole: true, rows: 1, faults: [], counts: {}, actions: {}, errors: [] };
  async function sent(content: readonly string[], format: 'ndjson' | 'csv') {
    const bodies: string[] = [];
    const queries: string[] = [];
    const client = createDrover({
      url: 'http://drover.test',
      fetch: async (request) => {
        queries.push(new URL(request.url).search);
        bodies.push(await request.text());
        return envelope(200, preview);
      },
    });
    const source = (async function* () {
      yield* content;
    })();
    const { isWhole } = await client.previewImport(source, { format, schema: 'city', columns: { Name: 'name' } });
    return { isWhole, body: bodies[0] ?? '', query: queries[0] };
  }

  test('a small file is sent as it is, with the options of the import', async () => {
    const { isWhole, body, query } = await sent(['Name,', 'n\n"a', '\nb",1'], 'csv');
    expect([isWhole, body]).toEqual([true, 'Name,n\n"a\nb",1']);
    expect(query).toBe('?schema=city&columns=%7B%22Name%22%3A%22name%22%7D&dryRun=true');
  });

  test('of a large one the first rows are sent, whole, and the rest is not read', async () => {
    const row = `"${'x'.repeat(50)}\n${'"",\n'.repeat(10)}",1\n`;
    const { isWhole, body } = await sent(
      Array.from({ length: 80_000 }, () => row),
      'csv',
    );
    expect(isWhole).toBe(false);
    expect(body.length).toBeLessThanOrEqual(4 * 1024 ** 2);
    expect(body.length).toBeGreaterThan(4 * 1024 ** 2 - row.length - 1);
    expect(body.length % row.length).toBe(0);
  });

  test('a first row that is longer than what is sent otherwise is sent whole', async () => {
    const long = `{"a":"${'x'.repeat(5 * 1024 ** 2)}"}\n`;
    const { isWhole, body } = await sent([long, '{"a":1}\n', '{"a":2}\n'], 'ndjson');
    expect([isWhole, body]).toEqual([false, long]);
  });
});

describe('streams', () => {
  const served = (body: ConstructorParameters<typeof Response>[0], init: ResponseInit = {}) =>
    createDrover({
      url: 'http://drover.test/base/',
      timeoutMs: 50,
      retry: false,
      fetch: async (request) => {
        requested.push(request.url);
        return new Response(body, init);
      },
    });
  const requested: string[] = [];

  test('an export is read line by line, in whatever pieces it arrives', async () => {
    const bytes = new TextEncoder().encode('{"name":"é"}\r\n\n{"name":"b"}');
    for (const size of [1, 3, bytes.length]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
        bytes.slice(n * size, (n + 1) * size),
      );
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const piece of pieces) controller.enqueue(piece);
          controller.close();
        },
      });
      const read: unknown[] = [];
      const stream = await served(body).resources.export('city', { envelope: true });
      for await (const value of parseNdjson(piecesOf(stream))) read.push(value);
      expect(read).toEqual([{ name: 'é' }, { name: 'b' }]);
    }
    expect(requested[0]).toBe('http://drover.test/base/api/resources/city?envelope=true');
  });

  test('a refusal is an error with its status, a stream that falls silent one without', async () => {
    const refusal = served('{"success":false,"message":"there is no import"}', { status: 404 });
    await expect(refusal.imports.results('i')).rejects.toMatchObject({ status: 404, message: 'there is no import' });
    const silent = await served(new ReadableStream({})).resources.export('city');
    const read = vi.fn(async () => {
      for await (const _ of piecesOf(silent)) expect.unreachable('a piece too many');
    });
    const failure = read();
    await expect(failure).rejects.toBeInstanceOf(DroverError);
    await expect(failure).rejects.toMatchObject({ status: null });
  });
});
