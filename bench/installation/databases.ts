import { MongoClient } from 'mongodb';

let count = 0;

/** @returns a name that no other run uses. */
export function newDatabaseName(about = ''): string {
  count += 1;
  return `bench-${process.pid}-${count}${about && `-${about}`}`;
}

/** Gives its memory, or its room on the disk, back. */
export async function dropDatabase(uri: string, name: string): Promise<void> {
  const client = new MongoClient(uri);
  try {
    await client.db(name).dropDatabase();
  } finally {
    await client.close();
  }
}

/** A line for the report about a server that was not started by this run: its address, its version, and what this run does with its databases. */
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
