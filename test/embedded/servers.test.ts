import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { MongoClient } from 'mongodb';
import { expect, inject, test } from 'vitest';
import { startServers } from '../../embedded/servers.ts';
import { SEARCH_ATTRIBUTES } from '../../embedded/temporal.ts';
import { ConfigError, loadConfig } from '../../process/config.ts';

const quiet = { say: () => undefined };

test('configured servers are used, and nothing is started or stopped in their place', async () => {
  const said: string[] = [];
  const config = loadConfig({ MONGODB_URI: 'mongodb://db.example', TEMPORAL_ADDRESS: 'temporal.example:7233' });
  const servers = await startServers({ config, dataDir: null, say: (line) => said.push(line) });
  expect(servers).toMatchObject({
    mongodbUri: 'mongodb://db.example',
    temporalAddress: 'temporal.example:7233',
    temporalUiUrl: null,
    mongo: null,
    temporal: null,
  });
  expect(said).toHaveLength(2);
  await servers.stop();
});

test('production never gets an embedded server', async () => {
  const config = { ...loadConfig({ MONGODB_URI: 'mongodb://db.example' }), NODE_ENV: 'production' };
  await expect(startServers({ config, dataDir: null, ...quiet })).rejects.toThrow(ConfigError);
});

test('the data of both embedded servers is still there after they were killed', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'drover-servers-'));
  const servers = await startServers({ config: loadConfig({}), dataDir, ...quiet });
  try {
    const mongodb = new MongoClient(servers.mongodbUri);
    await mongodb.db('test').collection<{ _id: string }>('kept').insertOne({ _id: 'one' });
    await startWorkflow(servers.temporalAddress);
    await Promise.all([servers.mongo?.kill(), servers.temporal?.kill()]);
    await Promise.all([servers.mongo?.restart(), servers.temporal?.restart()]);
    expect(await mongodb.db('test').collection('kept').countDocuments()).toBe(1);
    expect(await statusOfWorkflow(servers.temporalAddress)).toBe('RUNNING');
    await mongodb.close();
  } finally {
    await servers.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test('the Temporal of the test run knows every search attribute', async () => {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
  await connection.close();
  expect(Object.keys(customAttributes ?? {})).toEqual(expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTES)));
});

async function startWorkflow(address: string): Promise<void> {
  const connection = await Connection.connect({ address });
  await new Client({ connection }).workflow.start('nothing', { workflowId: 'kept', taskQueue: 'nobody' });
  await connection.close();
}

async function statusOfWorkflow(address: string): Promise<string> {
  const connection = await Connection.connect({ address });
  const { status } = await new Client({ connection }).workflow.getHandle('kept').describe();
  await connection.close();
  return status.name;
}
