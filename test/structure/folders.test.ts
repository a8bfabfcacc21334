import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { filesOf } from '../harness/repository.ts';

const MOST_FILES = 15;
/** Folders of files of one kind that nobody reads through: recorded histories, registered activities, and what tools look for at the root. */
const OF_ONE_KIND = new Set(['.', 'activities', 'test/histories']);

test(`no folder has more than ${MOST_FILES} files: it is split by subject`, () => {
  const counts = new Map<string, number>();
  for (const file of filesOf('*')) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  expect(counts.size).toBeGreaterThan(50);
  expect([...counts].filter(([folder, count]) => count > MOST_FILES && !OF_ONE_KIND.has(folder))).toEqual([]);
});
