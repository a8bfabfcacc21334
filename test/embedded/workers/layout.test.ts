import { expect, test } from 'vitest';
import { layoutOf } from '../../../embedded/workers/layout.ts';
import { type Config, ConfigError, loadConfig } from '../../../process/config.ts';

const tasksOf = (environment: Record<string, string>, cores = 2) => {
  const { here, apart } = layoutOf(loadConfig(environment), cores);
  return { here: here?.WORKER_TASKS ?? null, apart: apart.map(({ WORKER_TASKS }) => WORKER_TASKS) };
};
const activities = (count: number) => Array.from({ length: count }, () => 'activities');

test.each([
  [1, 1],
  [2, 1],
  [3, 1],
  [4, 2],
  [8, 4],
  [64, 4],
])('on %i cores activities have %i processes, workflows one, and neither runs beside the API', (cores, count) => {
  expect(tasksOf({}, cores)).toEqual({ here: null, apart: ['workflows', ...activities(count)] });
});

test('as many processes as are configured; with 0, everything in one', () => {
  expect(tasksOf({ WORKER_PROCESSES: '7' })).toEqual({ here: null, apart: ['workflows', ...activities(7)] });
  expect(tasksOf({ WORKER_PROCESSES: '0' })).toEqual({ here: 'all', apart: [] });
});

test('only tasks that are configured are run', () => {
  expect(tasksOf({ WORKER_TASKS: 'workflows' })).toEqual({ here: 'workflows', apart: [] });
  expect(tasksOf({ WORKER_TASKS: 'activities' })).toEqual({ here: null, apart: ['activities'] });
  expect(tasksOf({ WORKER_TASKS: 'activities', WORKER_PROCESSES: '0' })).toEqual({ here: 'activities', apart: [] });
});

test.each(['-1', '1.5', '65', 'many'])('%s processes are refused', (WORKER_PROCESSES) => {
  expect(() => loadConfig({ WORKER_PROCESSES })).toThrow(/^WORKER_PROCESSES: /);
});

const metricsOf = (environment: Record<string, string>) => {
  const { here, apart } = layoutOf(loadConfig(environment));
  return [here, ...apart].map((config: Config | null) => config?.WORKER_METRICS_ADDRESS);
};

test('each worker serves its metrics on a port of its own', () => {
  const WORKER_PROCESSES = '2';
  expect(metricsOf({ WORKER_PROCESSES })).toEqual([undefined, undefined, undefined, undefined]);
  expect(metricsOf({ WORKER_PROCESSES, WORKER_METRICS_ADDRESS: '127.0.0.1:9464' })).toEqual([
    undefined,
    '127.0.0.1:9464',
    '127.0.0.1:9465',
    '127.0.0.1:9466',
  ]);
  expect(metricsOf({ WORKER_PROCESSES, WORKER_METRICS_ADDRESS: '[::1]:0' })).toEqual([
    undefined,
    '[::1]:0',
    '[::1]:0',
    '[::1]:0',
  ]);
  const onlyActivities = { WORKER_PROCESSES, WORKER_TASKS: 'activities', WORKER_METRICS_ADDRESS: '127.0.0.1:65534' };
  expect(metricsOf(onlyActivities)).toEqual([undefined, '127.0.0.1:65534', '127.0.0.1:65535']);
  expect(() => metricsOf({ WORKER_PROCESSES, WORKER_METRICS_ADDRESS: '127.0.0.1:65534' })).toThrow(
    new ConfigError('WORKER_METRICS_ADDRESS: there is no port 65536, for another worker'),
  );
});
