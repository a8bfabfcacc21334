import { createDrover } from '@drover/client';
import { pino } from 'pino';
import { startApi } from '../api/server.ts';
import { dashboardOfCheckout } from '../embedded/dashboard.ts';
import { configuredFor, startServers } from '../embedded/servers.ts';
import { loadConfig } from '../process/config.ts';
import { startWorker } from '../worker/worker.ts';
import { runDemo } from './run-demo.ts';

/**
 * `npm run demo`: the main task on real data. Starts everything in this process, on servers in memory if no address is
 * configured, uploads 135,233 cities before their 250 countries, and shows how the cities wait and are then applied. In a terminal the
 * servers keep running until Ctrl-C, so that the result can be inspected.
 */
const say = (line: string): void => console.log(line);
const config = loadConfig({ ...process.env, PORT: process.env.PORT ?? '0' });
const logger = pino({ level: process.env.LOG_LEVEL ?? 'error' }, pino.destination(2));
const dashboardBuild = dashboardOfCheckout(say);
const servers = await startServers({ config, dataDir: null, ui: true, say });
const connected = configuredFor(config, servers);
const worker = await startWorker(connected, logger);
const dashboard = await dashboardBuild;
const api = await startApi(connected, logger, dashboard);
if (dashboard !== null) say(`Dashboard    ${api.url}/`);

let isStopping = false;
async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await api.stop();
  await worker.stop();
  await servers.stop();
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop().then(() => process.exit(0)));

try {
  await runDemo(createDrover({ url: api.url }), say);
  say('');
  if (dashboard !== null) say(`Dashboard    ${api.url}/`);
  say(`API          ${api.url}/api/batches`);
  say(`Docs         ${api.url}/docs`);
  if (servers.temporalUiUrl) say(`Temporal UI  ${servers.temporalUiUrl}`);
  if (process.stdout.isTTY) {
    say('\nThe servers keep running for you to inspect the result; Ctrl-C stops them.');
    await worker.ended;
  }
} finally {
  await stop();
}
