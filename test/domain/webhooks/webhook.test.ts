import { expect, test } from 'vitest';
import { MAX_WEBHOOK_ANSWER_BYTES, MAX_WEBHOOK_ANSWER_KEPT_BYTES, MAX_WEBHOOK_MS } from '../../../domain/limits.ts';
import { RETRY_DELAYS_MS } from '../../../domain/webhooks/webhook.ts';

test('a message is sent again after 5 s, 1 min, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h; an attempt has 10 s, and an answer 64 kB of which 1 kB is kept', () => {
  const [second, minute, hour] = [1_000, 60_000, 3_600_000];
  expect(RETRY_DELAYS_MS).toEqual([
    5 * second,
    minute,
    5 * minute,
    30 * minute,
    2 * hour,
    5 * hour,
    10 * hour,
    14 * hour,
  ]);
  expect([MAX_WEBHOOK_MS, MAX_WEBHOOK_ANSWER_BYTES, MAX_WEBHOOK_ANSWER_KEPT_BYTES]).toEqual([10_000, 65_536, 1_024]);
});
