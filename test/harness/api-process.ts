import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { pino } from 'pino';
import { createApp } from '../../api/app.ts';
import { openServices } from '../../api/server.ts';
import { loadConfig } from '../../process/config.ts';
import { withCollection } from '../../testkit/replaced-collection.ts';

/** An API process for tests that kill it in the middle of a request; see `spawnApi`. */
const services = await openServices(loadConfig(), pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }));
const [name = '', method = ''] = (process.env.KILL_AFTER ?? '').split('.');
const original = services.database.collection(name);
if (typeof Reflect.get(original, method) !== 'function')
  throw new Error('KILL_AFTER must name a collection and a command');
const deadly = new Proxy(original, {
  get: (target, member) => {
    const command: unknown = Reflect.get(target, member);
    if (member !== method || typeof command !== 'function') return command;
    return async (...given: unknown[]) => {
      await command.apply(target, given);
      process.kill(process.pid, 'SIGKILL');
    };
  },
});
const database = withCollection(services.database, name, deadly);
const server = createAdaptorServer({ fetch: createApp({ ...services, database }).fetch }) as Server;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.stdout.write(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
