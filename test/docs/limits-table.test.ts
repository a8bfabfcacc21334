import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import * as limits from '../../domain/limits.ts';
import { loadConfig } from '../../process/config.ts';

/** Limits that the page names in other units than the code. */
const IN_OTHER_UNITS: Partial<Record<keyof typeof limits, string>> = {
  MAX_ANSWER_BYTES: '4 MiB',
  MAX_RESOURCE_BYTES: '14 MiB',
  MAX_VISIBILITY_QUERY: '1 MiB',
  MAX_FACADE_COUNT_MS: '30 s',
  MAX_FACADE_SELECTION_MS: '10 minutes',
  MAX_STATUS_QUERY_MS: '2 s',
  MAX_DRY_RUN_MS: '30 s',
  MAX_VALIDATION_MS: '1 s',
  MAX_COMPILATION_MS: '15 s',
  IDEMPOTENCY_KEY_KEPT_MS: '24 h',
};

/** Limits of texts that an answer repeats in a message: no caller has to know them. */
const NOT_TOLD = new Set<string>(['MAX_FACADE_MESSAGE', 'MAX_NAMED_REFERRERS']);

const written = (name: string, bound: number): string =>
  IN_OTHER_UNITS[name as keyof typeof limits] ?? bound.toLocaleString('en-US');

test('the table of limits in docs/api.md has every limit of the code', async () => {
  const page = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('\n## Limits\n'), page.indexOf('\n## When a request is refused\n'));
  const config = loadConfig({});
  const bounds = Object.entries({
    ...limits,
    MAX_REQUESTS_PER_TENANT: config.MAX_REQUESTS_PER_TENANT,
    MAX_EVENT_STREAMS_PER_TENANT: config.MAX_EVENT_STREAMS_PER_TENANT,
    MAX_CONNECTIONS: config.MAX_CONNECTIONS,
    MIN_BODY_BYTES_PER_SECOND: config.MIN_BODY_BYTES_PER_SECOND,
  });
  expect(bounds.length).toBeGreaterThan(60);
  const isIn = (text: string): boolean => new RegExp(`(?<![\\d,.])${text}(?!\\d|,\\d)`).test(table);
  const missing = bounds.filter(([name, bound]) => !NOT_TOLD.has(name) && !isIn(written(name, bound)));
  expect(missing).toEqual([]);
});
