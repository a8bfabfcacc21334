import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What has to be known to send the rest of an import. */
interface StartedImport {
  readonly importId: string;
  /** Its path from the root. */
  readonly file: string;
  readonly size: number;
  readonly modifiedAt: number;
  readonly format: 'ndjson' | 'csv';
  readonly partBytes: number;
  readonly url: string;
  readonly tenant?: string;
}

const folder = (): string =>
  join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'drover', 'imports');
const fileOf = (importId: string): string => join(folder(), `${encodeURIComponent(importId)}.json`);

/** Notes an import whose content is on its way, for `drover import --resume`. */
export async function noteImport(started: StartedImport): Promise<void> {
  await mkdir(folder(), { recursive: true, mode: 0o700 });
  await writeFile(fileOf(started.importId), JSON.stringify(started), { mode: 0o600 });
}

/** Null if this user on this machine has begun no such import, or it is sealed. */
export async function startedImport(importId: string): Promise<StartedImport | null> {
  try {
    return JSON.parse(await readFile(fileOf(importId), 'utf8')) as StartedImport;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export const forgetImport = (importId: string): Promise<void> => rm(fileOf(importId), { force: true });
