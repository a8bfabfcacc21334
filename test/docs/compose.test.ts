import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, VARIABLES } from '../../process/config.ts';
import { read } from '../harness/repository.ts';

interface Service {
  readonly image?: string;
  readonly build?: unknown;
  readonly pull_policy?: string;
  readonly restart?: string;
  readonly env_file?: readonly { readonly path: string; readonly required: boolean }[];
  readonly environment?: Readonly<Record<string, string>>;
}

const { services } = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service> };
const ours = Object.entries(services).filter(([, { image }]) => image === 'drover');

/** The value that compose substitutes, with only these variables set. */
function interpolated(value: string, set: Readonly<Record<string, string>>): string {
  return value.replace(/\$\{(\w+):-([^}]*)\}/g, (_, name: string, otherwise: string) => set[name] || otherwise);
}

/** The environment of a service, with a `.env` of these variables. */
function environmentOf(service: Service, set: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(service.environment ?? {}).map(([name, value]) => [name, interpolated(value, set)]);
  return { ...set, ...Object.fromEntries(own) };
}

test('API, workers and setup receive all of .env, and start without one', () => {
  expect(ours.map(([name]) => name).sort()).toEqual(['api', 'setup', 'worker', 'workflow-worker']);
  for (const [, { env_file }] of ours) expect(env_file).toEqual([{ path: '.env', required: false }]);
});

test('the variables of a copy of .env.example reach API and workers, except those that compose sets for containers', () => {
  const set = Object.fromEntries(VARIABLES.map((name) => [name, `value of ${name}`]));
  const fixed = ['NODE_ENV', 'HOST', 'PORT', 'WORKER_TASKS'];
  for (const [name, service] of ours) {
    const reached = environmentOf(service, set);
    const lost = VARIABLES.filter((variable) => !fixed.includes(variable) && reached[variable] !== set[variable]);
    expect([name, lost]).toEqual([name, []]);
  }
});

test('with an unchanged copy of .env.example and a secret, each service has a configuration that starts', () => {
  const copied = Object.fromEntries([...read('.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, n, v]) => [n, v]));
  for (const [, service] of ours) {
    const environment = environmentOf(service, { ...copied, JWT_SECRET: '0123456789abcdef0123456789abcdef' });
    expect(loadConfig(environment)).toMatchObject({
      NODE_ENV: 'production',
      MONGODB_URI: 'mongodb://mongodb:27017/?replicaSet=rs0',
      TEMPORAL_ADDRESS: 'temporal:7233',
      temporalConnection: {},
    });
  }
});

test('the image is built once, and no service pulls it', () => {
  expect(ours.filter(([, { build }]) => build !== undefined).map(([name]) => name)).toEqual(['api']);
  for (const [name, { pull_policy }] of ours) expect(pull_policy).toBe(name === 'api' ? 'build' : 'never');
});

test('services that keep running are restarted, databases included; those that run once are retried', () => {
  const once = ['mongodb-init', 'temporal-schema', 'setup'];
  for (const [name, { restart }] of Object.entries(services)) {
    expect([name, restart]).toEqual([name, once.includes(name) ? 'on-failure:5' : 'unless-stopped']);
  }
});
