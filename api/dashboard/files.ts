import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** A file of the dashboard, in memory: all of them together are smaller than one large request. */
interface DashboardFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
}

/** The page, and what it loads, by path below the page. */
export interface DashboardFiles {
  readonly page: DashboardFile;
  readonly assets: ReadonlyMap<string, DashboardFile>;
}

const PAGE = 'index.html';
/** Folder of what the page loads; each name has a hash of the content. */
const ASSETS = 'assets';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Where `npm run build` puts it: beside the compiled API, or in `dist` if the API runs from its source. */
export function builtDashboard(): string | null {
  const places = ['../../dashboard', '../../dist/dashboard'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find((folder) => existsSync(join(folder, PAGE))) ?? null;
}

/** Reads a built dashboard. @param folder what Vite has written. @throws if it is incomplete. */
export async function readDashboard(folder: string): Promise<DashboardFiles> {
  const names = await readdir(join(folder, ASSETS));
  const [page, ...assets] = await Promise.all(
    [PAGE, ...names.map((name) => `${ASSETS}/${name}`)].map(async (path) => [path, await read(folder, path)] as const),
  );
  if (page === undefined) throw new Error(`${folder} has no ${PAGE}`);
  return { page: page[1], assets: new Map(assets) };
}

async function read(folder: string, path: string): Promise<DashboardFile> {
  const type = TYPES[extname(path)];
  if (type === undefined) throw new Error(`the dashboard has a file of unknown type: ${path}`);
  const bytes = new Uint8Array(await readFile(join(folder, path)));
  return { type, bytes, gzipped: new Uint8Array(await promisify(gzip)(bytes)) };
}
