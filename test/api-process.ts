import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { pino } from 'pino';
import { createApp } from '../api/app.ts';
import { openServices } from '../api/server.ts';
import { loadConfig } from '../config.ts';

/** An API in a process of its own, for tests that kill it in the middle of a request; see `spawnApi`. */
const services = await openServices(loadConfig(), pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }));
const [name = '', method = ''] = (process.env.KILL_AFTER ?? '').split('.');
const database = services.database as unknown as Record<string, object>;
const collection = database[name];
if (collection === undefined || typeof Reflect.get(collection, method) !== 'function')
  throw new Error('KILL_AFTER must name a collection and a command');
database[name] = new Proxy(collection, {
  get: (target, member) => {
    const original: unknown = Reflect.get(target, member);
    if (member !== method || typeof original !== 'function') return original;
    return async (...given: unknown[]) => {
      await original.apply(target, given);
      process.kill(process.pid, 'SIGKILL');
    };
  },
});
const server = createAdaptorServer({ fetch: createApp(services).fetch }) as Server;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.stdout.write(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
