import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { newSecret, SecretBox } from '../../../services/webhooks/secret-box.ts';

const [older, newer] = [randomBytes(32), randomBytes(32)];
const secret = newSecret();

test('a sealed secret is opened with its key, also beside a newer one, and without it or for another webhook it is not', () => {
  const sealed = new SecretBox({ keys: [older], isProduction: true }).seal('a', secret);
  expect(sealed).not.toContain(secret.slice('whsec_'.length));
  const rotated = new SecretBox({ keys: [newer, older], isProduction: true });
  expect(rotated.open('a', sealed)).toBe(secret);
  expect(rotated.seal('a', secret)).not.toBe(rotated.seal('a', secret));
  expect(() => rotated.open('b', sealed)).toThrow();
  expect(() => rotated.open('a', `${sealed.slice(0, -8)}AAAAAAA=`)).toThrow();
  expect(() => new SecretBox({ keys: [newer], isProduction: true }).open('a', sealed)).toThrow('DROVER_WEBHOOK_KEY');
});

test('without a key no webhook can be created in production; elsewhere its secret is stored as it is', () => {
  expect(() => new SecretBox({ isProduction: true }).assertReady()).toThrow('DROVER_WEBHOOK_KEY');
  const open = new SecretBox({ isProduction: false });
  expect(open.open('a', open.seal('a', secret))).toBe(secret);
});
