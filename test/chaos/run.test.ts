import { expect, test } from 'vitest';
import { describe } from '../../chaos/report.ts';
import { runChaos } from '../../chaos/run.ts';

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((all, n) => all + n, 0);

test('every invariant holds while processes are killed and the network loses, delays and cuts', async () => {
  const { report } = await runChaos({ seed: '7', loadSeconds: 35, drainLimitMs: 120_000 });
  console.log(describe(report, 'npm run chaos -- --seed 7 --seconds 35'));
  expect(report.violations).toEqual([]);
  // a run in which few faults happened proves little
  for (const [process, kills] of Object.entries(report.kills)) expect(kills, `kills of ${process}`).toBeGreaterThan(0);
  const { 'workers to MongoDB': toMongodb, 'workers to Temporal': toTemporal } = report.faults;
  expect(toMongodb?.dropAnswer, 'answers of MongoDB dropped').toBeGreaterThan(2);
  expect(sum(toTemporal ?? {}), 'faults of the way to Temporal').toBeGreaterThan(0);
  expect(report.items).toBeGreaterThan(100);
  expect(Object.keys(report.outcomes)).toEqual(expect.arrayContaining(['upload created', 'patch updated']));
}, 400_000);
