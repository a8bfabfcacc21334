import { invalidRequest } from '../../domain/executions/camunda-fault.ts';
import { checkSorting } from '../../domain/executions/process-instance-query.ts';
import { readDate } from '../../domain/json/reading.ts';
import { shortened } from '../../domain/json/shortened.ts';
import { findFlaws, type JsonCensus } from '../../domain/json/source.ts';
import { MAX_FACADE_FIRST_RESULT } from '../../domain/limits.ts';
import type { ApiContext } from '../http/context.ts';
import { placeOf } from '../http/place.ts';
import { readBytes } from '../http/read-json.ts';
import { badNumber, notAcceptable, unsupportedMediaType } from './errors.ts';

/**
 * The JSON body of a request; for no body and for `null` the engine answers 500, Drover says what is missing.
 * @throws CamundaFault 415 for another content type, 400 with the fault and its place.
 */
export async function readBody(c: ApiContext): Promise<unknown> {
  const type = c.req.header('content-type');
  if (type !== undefined && !/^application\/json\s*(;|$)/i.test(type)) throw unsupportedMediaType();
  const { bytes, census } = await readBytes(c);
  if (bytes.byteLength === 0) throw invalidRequest('the body is empty: a JSON object is needed');
  if (type === undefined) throw unsupportedMediaType();
  const json = parse(bytes, census);
  if (json === null) throw invalidRequest('the body is null: a JSON object is needed');
  return json;
}

function parse(bytes: Uint8Array, census: JsonCensus): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidRequest('the body is not valid UTF-8');
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const position = error instanceof SyntaxError ? /position \d+/.exec(error.message) : null;
    throw invalidRequest(
      `the body is not valid JSON: ${position ? `at ${position[0]}` : `it ends too early, at position ${text.length}`}`,
    );
  }
  // an id or a number that was read as another one would select other instances
  const [flaw] = findFlaws(text, json, census);
  if (flaw !== undefined) throw invalidRequest(`${shortened(placeOf(flaw.path)) || 'the body'} ${flaw.message}`);
  return json;
}

/** @throws CamundaFault 406 if the caller does not accept JSON. */
export function expectJsonAccepted(c: ApiContext): void {
  const accept = c.req.header('accept');
  if (accept === undefined || accept.trim() === '') return;
  const isJson = (range: string): boolean => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return ['*/*', 'application/*', 'application/json'].includes(type) && !parameters.includes('q=0');
  };
  if (!accept.split(',').some(isJson)) throw notAcceptable();
}

/** A boolean parameter; absent is null. @throws CamundaFault 400 in the engine's words. */
export function readBooleanParameter(c: ApiContext, name: string): boolean | null {
  const value = c.req.query(name);
  if (value === undefined) return null;
  if (value === 'true' || value === 'false') return value === 'true';
  const reason = `Cannot convert value ${value} to java type java.lang.Boolean`;
  throw invalidRequest(`Cannot set query parameter '${name}' to value '${value}': ${reason}`);
}

export function readDateParameter(c: ApiContext, name: string): Date | undefined {
  const value = c.req.query(name);
  return value === undefined ? undefined : readDate(value, name);
}

export interface Paging {
  readonly first: number;
  /** null: to the end. */
  readonly max: number | null;
}

/** `firstResult` and `maxResults`; a negative maximum selects nothing. @throws CamundaFault 404 for a value that is no number. */
export function readPaging(c: ApiContext): Paging {
  const max = readInteger(c, 'maxResults');
  const first = Math.max(0, readInteger(c, 'firstResult') ?? 0);
  if (first > MAX_FACADE_FIRST_RESULT)
    throw invalidRequest(`firstResult is ${first}; it can be up to ${MAX_FACADE_FIRST_RESULT}`);
  return { first, max: max === null ? null : Math.max(0, max) };
}

const MAX_JAVA_INTEGER = 2_147_483_647;

function readInteger(c: ApiContext, name: string): number | null {
  const value = c.req.query(name);
  if (value === undefined) return null;
  const number = /^[+-]?\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(Math.abs(number) <= MAX_JAVA_INTEGER)) throw badNumber();
  return number;
}

/** `sortBy` and `sortOrder`, checked against the keys of a list; null if it is not to be sorted. */
export function readSorting<K extends string>(
  c: ApiContext,
  keys: readonly K[],
): { key: K; descending: boolean } | null {
  const sortBy = c.req.query('sortBy') ?? null;
  const sortOrder = c.req.query('sortOrder') ?? null;
  checkSorting(sortBy, sortOrder, new Set<string>(keys));
  const key = keys.find((known) => known === sortBy);
  return key === undefined ? null : { key, descending: sortOrder === 'desc' };
}
