import { expect, test } from 'vitest';
import { read } from '../harness/repository.ts';

test('docs/day-two.md says of each fault what it means, and of none that is not looked for', () => {
  const kinds = [...read('services/integrity/check.ts').matchAll(/^ {2}\| '([^']+)'/gm)].map(([, kind]) => kind);
  const rows = [...read('docs/day-two.md').matchAll(/^\| (`[^|]+) \|/gm)].map(([, first = '']) => first);
  const faults = rows.slice(
    0,
    rows.findIndex((first) => first.startsWith('`/readyz`')),
  );
  const documented = faults.flatMap((first) => [...first.matchAll(/`([^`]+)`/g)].map(([, kind]) => kind));
  expect(kinds.length).toBeGreaterThan(25);
  expect(documented.sort()).toEqual(kinds.sort());
});

test('docs/day-two.md has ten alarms, each with a cause, a first look and a cure', () => {
  const [, alarms = ''] = read('docs/day-two.md').split('## Ten alarms');
  const rows = alarms.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'));
  expect(rows.length).toBe(11);
  for (const row of rows) expect(row.split(' | ').every((cell) => cell.length > 3)).toBe(true);
});
