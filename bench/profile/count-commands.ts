import { writeFileSync } from 'node:fs';
import { MongoClient } from 'mongodb';

/**
 * Loaded before a process of the service: counts its MongoDB commands by collection with their time, and writes them to the
 * folder of `COMMAND_COUNTS` when the process ends. They are announced where the URI says `monitorCommands=true`.
 */
const counts: Record<string, { commands: number; ms: number }> = {};
const watched = new WeakSet<MongoClient>();
const underWay = new Map<string, string>();
const { db } = MongoClient.prototype;

MongoClient.prototype.db = function (this: MongoClient, ...args) {
  if (!watched.has(this)) {
    watched.add(this);
    this.on('commandStarted', ({ requestId, commandName, command }) => {
      underWay.set(String(requestId), `${commandName} ${command[commandName]}`);
    });
    this.on('commandSucceeded', ({ requestId, duration }) => count(String(requestId), duration));
    this.on('commandFailed', ({ requestId, duration }) => count(String(requestId), duration));
  }
  return db.apply(this, args);
};

function count(id: string, ms: number): void {
  const name = underWay.get(id);
  underWay.delete(id);
  if (name === undefined) return;
  const known = counts[name] ?? { commands: 0, ms: 0 };
  counts[name] = { commands: known.commands + 1, ms: known.ms + ms };
}

process.on('exit', () =>
  writeFileSync(`${process.env.COMMAND_COUNTS}/commands-${process.pid}.json`, JSON.stringify(counts)),
);
