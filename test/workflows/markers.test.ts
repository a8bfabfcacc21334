import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { historyFiles, IS_RECORDING, readHistory, replay } from '../harness/histories.ts';
import { alteredWorkflows } from './altered-workflows.ts';

/**
 * Each change of what workflows do is behind a marker (`patched`). For each marker there are two histories: one that has
 * it, and one that reaches the same place without it, because its worker had the version before. `RECORD_HISTORIES=1` records
 * those of `record-marker-histories.ts`.
 */

/** Recorded in another way: by the workflows of that time. */
const BEFORE: Readonly<Record<string, string>> = {
  'termination-task-queue': 'terminate-on-the-common-task-queue.json',
  'decides-by-next-step': 'before-stores-its-cancellation.json',
};
const TEST_MS = 300_000;

const SOURCES = readdirSync(new URL('../../workflows/', import.meta.url), { recursive: true, encoding: 'utf8' });
const MARKERS = SOURCES.filter((name) => name.endsWith('.ts')).flatMap((name) => {
  const source = readFileSync(new URL(`../../workflows/${name}`, import.meta.url), 'utf8');
  return [...source.matchAll(/patched\('([\w-]+)'\)/g)].map(([, marker = '']) => marker);
});

interface History {
  readonly events: readonly {
    readonly markerRecordedEventAttributes?: {
      readonly details: Readonly<Record<string, { payloads: readonly { data: string }[] }>>;
    };
  }[];
}

/** Markers that a history has. */
function markersIn({ events }: History): string[] {
  return events.flatMap(({ markerRecordedEventAttributes: marker }) => {
    const data = marker?.details['patch-data']?.payloads[0]?.data;
    return data === undefined ? [] : [JSON.parse(Buffer.from(data, 'base64').toString()).id as string];
  });
}

const paths: string[] = [];
afterAll(() => Promise.all(paths.map((path) => rm(path, { force: true }))));

beforeAll(async () => {
  if (!IS_RECORDING) return;
  const { recordMarkerHistories } = await import('./record-marker-histories.ts');
  await recordMarkerHistories();
}, TEST_MS);

test('every marker of the workflows is listed here', async () => {
  const { path, markers } = await alteredWorkflows('markers', () => undefined);
  paths.push(path);
  expect(new Set(MARKERS)).toEqual(markers);
  expect(markers.size).toBeGreaterThan(0);
});

test.each([...new Set(MARKERS)])(
  '%s: one history has it, and an earlier one reaches its place without it',
  { timeout: TEST_MS },
  async (marker) => {
    expect(historyFiles().filter((file) => markersIn(readHistory(file)).includes(marker))).not.toEqual([]);

    const before = readHistory(BEFORE[marker] ?? `before-${marker}.json`);
    expect(markersIn(before)).not.toContain(marker);
    await replay(before);
    const reached = await alteredWorkflows(marker, (each) =>
      each === marker ? `(() => { throw new Error('reached') })()` : undefined,
    );
    paths.push(reached.path);
    await expect(replay(before, reached.path)).rejects.toThrow('reached');
  },
);
