import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { MAX_FAULTS } from '../../api/http/api-error.ts';
import { loadConfig } from '../../config.ts';
import { MAX_DEPENDENCY_WAIT_SECONDS, MAX_RESOURCES_PER_BATCH } from '../../domain/batch/batch.ts';
import { MAX_SCOPE_NAME } from '../../domain/batch/scope.ts';
import * as limits from '../../domain/limits.ts';
import { MAX_RESOURCE_DEPTH } from '../../domain/schema/compiler.ts';
import { MAX_DESCRIPTION_LENGTH, MAX_NAME_LENGTH } from '../../domain/schema/definition.ts';
import * as schemaLimits from '../../domain/schema/extent.ts';
import { MAX_REFERENCE_FIELDS } from '../../domain/schema/references.ts';
import { MAX_REFERENCES } from '../../domain/write/references-in.ts';
import { MAX_EXTERNAL_ID } from '../../domain/write/resource.ts';

/** Bounds that the page names in other units: MiB, seconds. */
const NOT_AS_A_NUMBER = ['MAX_VISIBILITY_QUERY', 'MAX_FACADE_COUNT_MS'];

test('the table of limits in docs/api.md has every bound as the code has it', async () => {
  const page = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('\n## Limits\n'), page.indexOf('\n## When a request is refused\n'));
  const config = loadConfig({});
  const bounds = Object.entries({
    ...limits,
    ...schemaLimits,
    MAX_FAULTS,
    MAX_RESOURCES_PER_BATCH,
    MAX_DEPENDENCY_WAIT_SECONDS,
    MAX_REFERENCES,
    MAX_EXTERNAL_ID,
    MAX_RESOURCE_DEPTH,
    MAX_DESCRIPTION_LENGTH,
    MAX_NAME_LENGTH,
    MAX_REFERENCE_FIELDS,
    MAX_SCOPE_NAME,
    MAX_REQUESTS_PER_TENANT: config.MAX_REQUESTS_PER_TENANT,
    MAX_EVENT_STREAMS_PER_TENANT: config.MAX_EVENT_STREAMS_PER_TENANT,
    MAX_CONNECTIONS: config.MAX_CONNECTIONS,
    MIN_BODY_BYTES_PER_SECOND: config.MIN_BODY_BYTES_PER_SECOND,
  }).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  expect(bounds.length).toBeGreaterThan(30);
  const numbers = new Set(table.match(/\d[\d,]*\d|\d/g));
  const missing = bounds.filter(([name, bound]) => !NOT_AS_A_NUMBER.includes(name) && !numbers.has(told(bound)));
  expect(missing).toEqual([]);
});

const told = (bound: number): string => bound.toLocaleString('en-US');
