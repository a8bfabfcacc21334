import { expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../process/config.ts';

test('a termination whose plans would be too large for Temporal is refused at the start', () => {
  const environment = { CAMUNDA_INVOCATIONS_PER_BATCH_JOB: '1000', CAMUNDA_BATCH_JOBS_PER_SEED: '100' };
  expect(loadConfig(environment)).toMatchObject({ CAMUNDA_INVOCATIONS_PER_BATCH_JOB: 1000 });
  expect(() => loadConfig({ ...environment, CAMUNDA_BATCH_JOBS_PER_SEED: '101' })).toThrow(ConfigError);
});
