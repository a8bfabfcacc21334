import { MAX_FAULTS } from '../../domain/limits.ts';
import type { ApiContext } from './context.ts';
import { readBytes } from './read-json.ts';
import { type KnownNames, unknownName } from './unknown-names.ts';

/** Whether the query can be decoded: otherwise its values would be misread. (A path that cannot be decoded matches no route.) */
export function isWellEncoded(c: ApiContext): boolean {
  const { search } = new URL(c.req.url);
  try {
    decodeURIComponent(search);
    return true;
  } catch {
    return false;
  }
}

/** The query of a request by name; a name that is unknown or given twice is added to the faults. */
export function readQuery(c: ApiContext, faults: string[], known: KnownNames): Record<string, string> {
  const parameters = new URL(c.req.url).searchParams;
  const given = new Map<string, string>();
  const repeated = new Set<string>();
  for (const [name, value] of parameters) {
    if (given.has(name)) repeated.add(name);
    given.set(name, value);
  }
  for (const name of [...given.keys()].slice(0, MAX_FAULTS)) {
    if (!known.query.includes(name)) faults.push(unknownName(name, 'query', known));
    else if (repeated.has(name)) faults.push(`${name}: is given twice`);
  }
  return Object.fromEntries(given);
}

/**
 * A request without a body may have an empty one, because some clients always send one: nothing, `null` or `{}`. The content of any other
 * is added to the faults.
 */
export async function assertNoBody(c: ApiContext, faults: string[], known: KnownNames): Promise<void> {
  const { raw } = c.req;
  if (raw.method === 'GET' || raw.method === 'HEAD') {
    // such a body is not read at all
    const isChunked = c.req.header('transfer-encoding') !== undefined;
    if (isChunked || Number(c.req.header('content-length') ?? 0) > 0) faults.push('body: a GET takes none');
    return;
  }
  if (raw.body === null) return;
  const { bytes } = await readBytes(c);
  const json = bytes.byteLength === 0 ? null : parsed(bytes);
  if (json === null) return;
  if (typeof json !== 'object' || Array.isArray(json)) faults.push('body: this request takes none');
  else for (const name of Object.keys(json).slice(0, MAX_FAULTS)) faults.push(unknownName(name, 'body', known));
}

/** Escapes a text so that it is taken literally. */
function parsed(bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes).trim();
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
