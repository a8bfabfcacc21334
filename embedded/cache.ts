import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder of downloads and builds: `DROVER_CACHE_DIR`, else `drover` in the user's cache folder. */
export function cacheDirectory(environment: Record<string, string | undefined> = process.env): string {
  if (environment.DROVER_CACHE_DIR) return environment.DROVER_CACHE_DIR;
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'drover');
}
