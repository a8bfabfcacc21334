import { expect, test } from 'vitest';
import { noCounts } from '../../../domain/batch/outcome.ts';
import { throughputByMinute, throughputSince } from '../../../domain/batch/throughput.ts';

const NOW = new Date('2026-03-01T12:30:45.678Z');

test('the last hour is sixty whole minutes, the present one the last', () => {
  const since = throughputSince(NOW);
  expect(since.toISOString()).toBe('2026-03-01T11:31:00.000Z');
  const minutes = throughputByMinute([], since);
  expect([minutes.length, minutes[0]?.at, minutes.at(-1)?.at]).toEqual([
    60,
    since.toISOString(),
    '2026-03-01T12:30:00.000Z',
  ]);
});

test('items count in the minute in which their batch finished, those without success also apart; other times are left out', () => {
  const counts = { ...noCounts(), succeeded: 5, skipped: 1, failed: 2, expired: 3, cancelled: 4 };
  const at = (time: string) => ({ completedAt: new Date(`2026-03-01T${time}Z`), counts });
  const without = { completedAt: NOW, counts: undefined };
  const finished = [at('11:30:59.999'), at('11:31:00.000'), at('12:30:00.000'), without, at('12:31:00.000')];
  const minutes = throughputByMinute(finished, throughputSince(NOW)).filter(({ batches }) => batches > 0);
  expect(minutes).toEqual([
    { at: '2026-03-01T11:31:00.000Z', batches: 1, items: 15, unsuccessful: 9 },
    { at: '2026-03-01T12:30:00.000Z', batches: 2, items: 15, unsuccessful: 9 },
  ]);
});
