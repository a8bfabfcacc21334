import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../process/config.ts';

const TEMPORAL_ADDRESS = 'temporal.example:7233';
const FILE = join(mkdtempSync(join(tmpdir(), 'drover-temporal-')), 'temporal.toml');
writeFileSync(
  FILE,
  `[profile.default]
address = "default.example:7233"
[profile.cloud]
address = "cloud.example:7233"
namespace = "orders.x7"
api_key = "from the profile"
[profile.open]
address = "open.example:7233"
namespace = "open"
api_key = "from the profile"
[profile.open.tls]
disabled = true
`,
);

test.each(['', undefined])('an API key is sent over TLS if TEMPORAL_TLS is %j', (TEMPORAL_TLS) => {
  const config = loadConfig({ TEMPORAL_ADDRESS, TEMPORAL_API_KEY: 'key', TEMPORAL_TLS });
  expect(config.temporalConnection).toEqual({ tls: true, apiKey: 'key' });
});

test.each([
  [{ TEMPORAL_API_KEY: 'key', TEMPORAL_TLS: 'false' }, /^TEMPORAL_API_KEY: would be sent in the clear/],
  [{ TEMPORAL_API_KEY: 'key', TEMPORAL_TLS: '0' }, /^TEMPORAL_API_KEY: would be sent in the clear/],
  [{ TEMPORAL_GRPC_META_AUTHORIZATION: 'Bearer x' }, /^TEMPORAL_API_KEY: would be sent in the clear/],
  [{ TEMPORAL_TLS: 'yes' }, /^TEMPORAL_TLS: must be true or false/],
  [{ TEMPORAL_TLS: 'TRUE', TEMPORAL_API_KEY: 'key' }, /^TEMPORAL_TLS: must be true or false/],
  [{ TEMPORAL_TLS_CLIENT_CERT_DATA: 'cert' }, /belong together/],
  [{ TEMPORAL_TLS_CLIENT_CERT_DATA: 'c', TEMPORAL_TLS_CLIENT_KEY_DATA: 'k', TEMPORAL_TLS: 'false' }, /belong together/],
  [{ TEMPORAL_CONFIG_FILE: '/nowhere/temporal.toml' }, /^TEMPORAL_CONFIG_FILE: there is no file/],
  [{ TEMPORAL_CONFIG_FILE: FILE, TEMPORAL_PROFILE: 'other' }, /^Temporal's configuration: Profile 'other' not found/],
  [{ TEMPORAL_CONFIG_FILE: FILE, TEMPORAL_PROFILE: 'open' }, /^TEMPORAL_API_KEY: would be sent in the clear/],
])('%j does not start', (environment, message) => {
  expect(() => loadConfig({ TEMPORAL_ADDRESS, ...environment })).toThrow(ConfigError);
  expect(() => loadConfig({ TEMPORAL_ADDRESS, ...environment })).toThrow(message);
});

test("a profile's address, namespace and key are used, and variables override them", () => {
  const profile = { TEMPORAL_CONFIG_FILE: FILE, TEMPORAL_PROFILE: 'cloud' };
  expect(loadConfig(profile)).toMatchObject({
    TEMPORAL_ADDRESS: 'cloud.example:7233',
    TEMPORAL_NAMESPACE: 'orders.x7',
    temporalConnection: { tls: true, apiKey: 'from the profile' },
  });
  const set = { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE: 'own' };
  expect(loadConfig({ ...profile, ...set, TEMPORAL_API_KEY: 'key' })).toMatchObject({
    ...set,
    temporalConnection: { apiKey: 'key' },
  });
});

test('without a configured address or profile, an embedded server receives no key', () => {
  const config = loadConfig({ TEMPORAL_API_KEY: 'key', TEMPORAL_TLS: 'true', HOME: '/root' });
  expect(config).toMatchObject({ TEMPORAL_NAMESPACE: 'default', temporalConnection: {} });
  expect(config.TEMPORAL_ADDRESS).toBeUndefined();
});

test('TLS is used as configured: without a key, and with certificates', () => {
  expect(loadConfig({ TEMPORAL_ADDRESS }).temporalConnection).toEqual({});
  const pair = { TEMPORAL_TLS_CLIENT_CERT_DATA: 'c', TEMPORAL_TLS_CLIENT_KEY_DATA: 'k' };
  const { tls } = loadConfig({ TEMPORAL_ADDRESS, ...pair }).temporalConnection;
  expect(tls).toMatchObject({ clientCertPair: { crt: expect.anything(), key: expect.anything() } });
});
