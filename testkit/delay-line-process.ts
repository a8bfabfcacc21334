import { DelayLine } from './delay-line.ts';
import { roundTripMs, startEcho } from './round-trip.ts';

/**
 * A process of its own, so that what it does takes no time from those that it stands between: it adds `ROUND_TRIP_MS`, half of it each
 * way, before each of `SERVERS` (`host:port host:port …`). Says what it adds, measured, and its ports in the same order.
 */
const { ROUND_TRIP_MS, SERVERS = '' } = process.env;
const wanted = Number(ROUND_TRIP_MS);
const MEASURED = 100;
const ROUNDS = 3;

const line = new DelayLine(wanted / 2);
const echo = await startEcho();
const through = await line.before('127.0.0.1', echo.port);
let added = 0;
// what its own work takes is part of the delay
for (let round = 0; round < ROUNDS; round++) {
  added = (await roundTripMs(through, MEASURED)) - (await roundTripMs(echo.port, MEASURED));
  if (round < ROUNDS - 1) line.delayMs = Math.max(0, line.delayMs - (added - wanted) / 2);
}
echo.stop();

const ports: number[] = [];
for (const server of SERVERS.split(' ')) {
  const [, host = '', port] = /^(.+):(\d+)$/.exec(server) ?? [];
  ports.push(await line.before(host.replace(/^\[|\]$/g, ''), Number(port)));
}
process.stdout.write(`ready ${added} ${ports.join(' ')}\n`);
