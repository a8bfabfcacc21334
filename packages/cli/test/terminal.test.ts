import { PassThrough } from 'node:stream';
import stringWidth from 'string-width';
import { describe, expect, test, vi } from 'vitest';
import { Output } from '../src/terminal/output.ts';
import { ProgressBar } from '../src/terminal/progress.ts';
import { tabbed, tableOf } from '../src/terminal/table.ts';
import { drawn } from './harness.ts';

const COLUMNS = [
  { name: 'ID', of: ({ id }: Row) => id, isKept: true },
  { name: 'NAME', of: ({ name }: Row) => name },
  { name: 'WHY', of: ({ why }: Row) => why },
] as const;
interface Row {
  readonly id: string;
  readonly name: string;
  readonly why: string | null;
}
const ROWS: Row[] = [
  { id: '0198a1b2-c3d4-7000-8000-000000000000', name: '東京都', why: 'validation: /population must be integer' },
  { id: '0198a1b2-c3d4-7000-8000-000000000001', name: 'a\u001b[2Jb\nc', why: null },
];
const plain = (text: string): string => text;

describe('a table', () => {
  test.each([200, 100, 80, 60, 40])('fits %i columns, and keeps what identifies an entry', (width) => {
    const lines = tableOf(ROWS, COLUMNS, width, plain).split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
    expect(lines[1]).toContain(ROWS[0]?.id);
  });

  test('is no wider than it has to be, and control characters of others do nothing', () => {
    const text = tableOf(ROWS, COLUMNS, 500, plain);
    expect(Math.max(...text.split('\n').map((line) => stringWidth(line)))).toBeLessThan(100);
    expect(text).toContain('a [2Jb c');
  });

  test('in a pipe it is lines of values between tabs', () => {
    expect(tabbed(ROWS, COLUMNS).split('\n')[2]).toBe('0198a1b2-c3d4-7000-8000-000000000001\ta [2Jb c\t');
  });
});

function bar(columns: number | null) {
  const err = Object.assign(new PassThrough(), columns === null ? {} : { isTTY: true, columns });
  let text = '';
  err.setEncoding('utf8').on('data', (part: string) => (text += part));
  return { bar: new ProgressBar({ err: err as never }, { label: 'upload', unit: 'records' }), read: () => text };
}

describe('a progress bar', () => {
  test.each([120, 60, 40, 24])('shows on %i columns how far it is, and no more than fits', async (columns) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
    const { bar: shown, read } = bar(columns);
    shown.set({ done: 0, total: 100_000 });
    await vi.advanceTimersByTimeAsync(10_000);
    shown.set({ done: 25_000, total: 100_000, note: '12 failed' });
    await vi.advanceTimersByTimeAsync(1_000);
    shown.stop();
    vi.useRealTimers();
    await new Promise(setImmediate);
    const lines = drawn(read());
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
    expect(lines.join('\n')).toContain('25,000');
    if (columns === 120)
      expect(lines.join('\n')).toMatch(
        /█+░+ {3}25 % {2}25,000 of 100,000 records {2}2,\d{3}\/s {2}\d+ s left {2}12 failed/,
      );
  });

  test.each([
    [null, 'xterm'],
    [80, 'dumb'],
  ])('draws nothing where nobody looks, or nothing can be drawn: %j columns, TERM=%s', async (columns, term) => {
    vi.stubEnv('TERM', term);
    const { bar: shown, read } = bar(columns);
    shown.set({ done: 1, total: 2 });
    shown.stop();
    await new Promise(setImmediate);
    expect(read()).toBe('');
    vi.unstubAllEnvs();
  });
});

test('content of others is shown without control characters, and written as it is into a pipe', async () => {
  const written = async (isTTY: boolean): Promise<string> => {
    const out = Object.assign(new PassThrough(), { isTTY });
    const output = new Output({ out, err: out, in: out } as never, 'text');
    const pieces = (async function* () {
      yield new TextEncoder().encode('a\u001b]0;x\u0007\tb\n');
    })();
    await output.content(pieces);
    return String(out.read());
  };
  expect(await written(true)).toBe('a ]0;x \tb\n');
  expect(await written(false)).toBe('a\u001b]0;x\u0007\tb\n');
});

test('colours are for terminals, and NO_COLOR switches them off', () => {
  const output = (isTTY: boolean) => new Output({ out: { isTTY }, err: {}, in: {} } as never, 'text');
  vi.stubEnv('TERM', 'xterm');
  vi.stubEnv('NO_COLOR', '');
  expect(output(true).colours.red('x')).not.toBe('x');
  expect(output(false).colours.red('x')).toBe('x');
  vi.stubEnv('NO_COLOR', '1');
  expect(output(true).colours.red('x')).toBe('x');
  vi.unstubAllEnvs();
});
