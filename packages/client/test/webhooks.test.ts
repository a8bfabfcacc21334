import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { DroverError, verifyWebhook } from '../src/index.ts';

const SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`;
const OTHER = `whsec_${Buffer.from('another secret of as many bytes.').toString('base64')}`;
const BODY = '{"type":"batch.completed","timestamp":"2026-01-02T03:04:05.678Z","data":{"batchId":"b"}}';

/** A delivery as Standard Webhooks signs it. */
function delivery(secret: string, { body = BODY, sent = BODY, at = new Date() } = {}): Request {
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign('msg_1', at, body),
  };
  return new Request('https://receiver.test/', { method: 'POST', headers, body: sent });
}

test('a delivery with a right signature is an event, by any of the secrets', async () => {
  const event = { id: 'msg_1', type: 'batch.completed', timestamp: '2026-01-02T03:04:05.678Z', data: { batchId: 'b' } };
  expect(await verifyWebhook(delivery(SECRET), SECRET)).toEqual(event);
  expect(await verifyWebhook(delivery(SECRET), [OTHER, SECRET])).toEqual(event);
  const { headers } = delivery(SECRET);
  const raw = {
    headers: { ...Object.fromEntries(headers), 'Webhook-Id': 'msg_1', 'webhook-id': undefined },
    body: BODY,
  };
  expect(await verifyWebhook(raw as never, SECRET)).toEqual(event);
});

test.each([
  ['another secret', delivery(OTHER)],
  ['a body that was changed', delivery(SECRET, { sent: BODY.replace('"b"', '"c"') })],
  ['one of six minutes ago, sent again', delivery(SECRET, { at: new Date(Date.now() - 360_000) })],
  ['a body that is no JSON', delivery(SECRET, { body: 'hello', sent: 'hello' })],
  ['no signature', new Request('https://receiver.test/', { method: 'POST', body: BODY })],
])('a delivery is refused: %s', async (_, request) => {
  const refused = verifyWebhook(request, SECRET);
  await expect(refused).rejects.toBeInstanceOf(DroverError);
  await expect(refused).rejects.toThrow('the webhook is not accepted: ');
});
