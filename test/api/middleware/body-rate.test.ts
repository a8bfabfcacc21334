import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { describe, expect, inject, test } from 'vitest';
import { errorAnswer } from '../../../api/http/error-answers.ts';
import { atLeast } from '../../../api/middleware/body-rate.ts';
import { startApi } from '../../../api/server.ts';
import { LoadLimits } from '../../../api/state/load-limits.ts';
import { ConfigError, loadConfig } from '../../../process/config.ts';

/** A body whose chunks arrive when the test sends them. */
class Body {
  readonly stream: ReadableStream<Uint8Array>;
  isCancelled = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor() {
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.isCancelled = true;
      },
    });
  }

  send(bytes: number): void {
    this.#controller?.enqueue(new Uint8Array(bytes));
  }

  end(): void {
    this.#controller?.close();
  }
}

async function sizeOf(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of chunks) size += chunk.byteLength;
  return size;
}

describe('a body', () => {
  test('that brings the required bytes in each window is read to its end', async () => {
    const body = new Body();
    const drip = setInterval(() => body.send(50), 10);
    setTimeout(() => {
      clearInterval(drip);
      body.end();
    }, 350);
    expect(await sizeOf(atLeast(body.stream, { leastBytesPerSecond: 500, windowMs: 100 }))).toBeGreaterThan(500);
  });

  test('that stops arriving is a 408, and the rest of it is not read', async () => {
    const body = new Body();
    body.send(1_000_000);
    const read = sizeOf(atLeast(body.stream, { leastBytesPerSecond: 1000, windowMs: 50 }));
    const failed = await read.catch(errorAnswer);
    expect(failed).toMatchObject({ status: 408, message: expect.stringContaining('1000 bytes a second') });
    expect(body.isCancelled).toBe(true);
  });

  test('may be slow if no rate is required', async () => {
    const body = new Body();
    setTimeout(() => body.end(), 120);
    expect(await sizeOf(atLeast(body.stream, { leastBytesPerSecond: 0, windowMs: 20 }))).toBe(0);
  });

  test('does not count as slow if the process was too busy to read it', async () => {
    const body = new Body();
    const read = sizeOf(atLeast(body.stream, { leastBytesPerSecond: 1000, windowMs: 50 }));
    // the event loop is blocked for longer than a window and its tolerance
    const until = performance.now() + 700;
    while (performance.now() < until);
    setTimeout(() => {
      body.send(1000);
      body.end();
    }, 10);
    expect(await read).toBe(1000);
  });
});

test('a body that arrives byte by byte is a 408 in the shape of its API, long before the time limit of a request', async () => {
  const config = loadConfig({
    MONGODB_URI: inject('mongodbUri'),
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    MONGODB_DATABASE: `body-rate-${process.pid}-${Date.now()}`,
    PORT: '0',
    REQUEST_TIMEOUT_SECONDS: '60',
  });
  const api = await startApi(config, pino({ level: 'silent' }));
  const slow = ['/partner/schema-definitions', '/engine-rest/process-instance'].map(async (path) => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    await once(socket, 'connect');
    const lines = [
      `POST ${path} HTTP/1.1`,
      'Host: 127.0.0.1',
      'Content-Type: application/json',
      'Content-Length: 100000',
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n${' '.repeat(15_000)}`);
    const drip = setInterval(() => socket.write(' '), 100);
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    await once(socket, 'close');
    clearInterval(drip);
    return text;
  });
  const [ours, camunda] = await Promise.all(slow);
  expect(ours).toMatch(/^HTTP\/1\.1 408/);
  expect(ours).toContain('{"success":false,"message":"the body arrives too slowly: less than 4096 bytes a second"');
  expect(camunda).toMatch(/^HTTP\/1\.1 408/);
  expect(camunda).toContain('{"type":"RestException","message":"the body arrives too slowly');
  await api.stop();
});

describe("the memory that one tenant's bodies may hold", () => {
  const limits = { MAX_REQUESTS_PER_TENANT: 9, MAX_EVENT_STREAMS_PER_TENANT: 9, MAX_BODY_BYTES_IN_FLIGHT: 1000 };
  /** Takes as much as possible, in small pieces. @returns how much that was. */
  function takeAll(load: LoadLimits, tenant: string): { taken: number; end(): void } {
    const request = load.begin(tenant);
    let taken = 0;
    try {
      for (;;) {
        request.addBodyBytes(1);
        taken += 1;
      }
    } catch (error) {
      expect(errorAnswer(error)).toMatchObject({ status: 429, retryAfterSeconds: 1 });
    }
    return { taken, end: request.end };
  }

  test('is its share, and no more in several requests', () => {
    const load = new LoadLimits({ ...limits, MAX_BODY_BYTES_PER_TENANT: 200 });
    expect([takeAll(load, 'a').taken, takeAll(load, 'a').taken, takeAll(load, 'b').taken]).toEqual([200, 0, 200]);
  });

  test('is never more than is free, and is returned', () => {
    const load = new LoadLimits({ ...limits, MAX_BODY_BYTES_PER_TENANT: 1000 });
    const taken = ['a', 'b', 'c', 'd', 'e', 'f'].map((tenant) => takeAll(load, tenant));
    expect(taken.map((each) => each.taken)).toEqual([500, 250, 125, 62, 31, 16]);
    for (const each of taken) each.end();
    expect(load.bodyBytes).toBe(0);
    expect(takeAll(load, 'g').taken).toBe(500);
  });

  test('is freed once, however often a request ends, also for bytes that arrive after its caller has disconnected', () => {
    const load = new LoadLimits({ ...limits, MAX_REQUESTS_PER_TENANT: 2, MAX_BODY_BYTES_PER_TENANT: 200 });
    const gone = load.begin('a');
    load.begin('a');
    gone.end();
    gone.addBodyBytes(5);
    gone.end();
    expect(load.bodyBytes).toBe(0);
    load.begin('a');
    expect(() => load.begin('a')).toThrow(/too many requests/);
  });

  test('has room for a body of the largest size, or the process does not start', () => {
    expect(() => loadConfig({ MAX_BODY_BYTES_PER_TENANT: '1000000' })).toThrow(ConfigError);
    expect(() => loadConfig({ MAX_BODY_BYTES_IN_FLIGHT: '20000000' })).toThrow(/^MAX_BODY_BYTES_IN_FLIGHT must be/);
  });
});
