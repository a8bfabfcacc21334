import { MongoClient } from 'mongodb';

/** Databases that this run has made, and has not dropped yet. */
const made = new Set<string>();
let count = 0;

/** @returns a name that no other run uses. */
export function newDatabaseName(about = ''): string {
  count += 1;
  const name = `bench-${process.pid}-${count}${about && `-${about}`}`;
  made.add(name);
  return name;
}

/** Gives its memory, or its room on the disk, back. */
export async function dropDatabase(uri: string, name: string): Promise<void> {
  const client = new MongoClient(uri);
  try {
    await client.db(name).dropDatabase();
    made.delete(name);
  } finally {
    await client.close();
  }
}

/** What a run that was ended early has left on a server that stays. */
export async function dropDatabasesLeft(uri: string): Promise<void> {
  for (const name of made) await dropDatabase(uri, name);
}

/** A line for the report about a server that somebody else runs: where, which, and what this run leaves there. */
export async function describeMongodb(uri: string): Promise<string> {
  const client = new MongoClient(uri);
  try {
    const { version } = await client.db('admin').command({ buildInfo: 1 });
    const hosts = client.options.hosts.map(String).join(', ') || client.options.srvHost;
    return `MongoDB at ${hosts}: version ${version}, in databases of this run (bench-${process.pid}-…), which are dropped afterwards`;
  } finally {
    await client.close();
  }
}
