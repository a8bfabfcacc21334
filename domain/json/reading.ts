import { invalidRequest } from '../executions/camunda-fault.ts';
import { MAX_FACADE_TEXT, MAX_FACADE_VALUES } from '../limits.ts';
import { shortened } from './shortened.ts';

/**
 * Readers of JSON values that coerce as the Camunda engine does (numbers and booleans become text, `"true"` and numbers become
 * booleans) and refuse everything else with a message that names the fault and its place.
 */

export type Reader<T> = (value: unknown, path: string) => T;

/** @param longest in UTF-16 code units. */
export function readText(value: unknown, path: string, longest = MAX_FACADE_TEXT): string {
  if (typeof value === 'string') {
    if (value.length > longest) throw invalidRequest(`${path} is longer than ${longest} characters`);
    return value;
  }
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw wrongType(path, 'a string', value);
}

export function readFlag(value: unknown, path: string): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (value === 'true' || value === 'false') return value === 'true';
  throw wrongType(path, 'true or false', value);
}

export function readObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (isObject(value)) return value;
  throw wrongType(path, 'an object', value);
}

/** @param most largest number of entries. */
export function readArray<T>(value: unknown, path: string, most: number, reader: Reader<T>): readonly T[] {
  if (!Array.isArray(value)) throw wrongType(path, 'an array', value);
  if (value.length > most) throw invalidRequest(`${path} has ${value.length} entries; it can have ${most}`);
  return value.map((entry, index) => reader(entry, `${path}[${index}]`));
}

/** A list that must have an entry: an empty one would select nothing, or everything, by accident. */
export function readTexts(value: unknown, path: string): readonly string[] {
  const texts = readArray(value, path, MAX_FACADE_VALUES, (entry, at) => readText(entry, at));
  if (texts.length === 0) throw invalidRequest(`${path} is empty`);
  return texts;
}

/** ISO 8601, or the engine's format of dates: `2026-11-24T11:05:17.013+0000`. Without a zone it is UTC. */
export function readDate(value: unknown, path: string): Date {
  const text = readText(value, path);
  const parts = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?$/.exec(text);
  const date = new Date(parts ? `${parts[1]}T${parts[2] ?? '00:00'}${withColon(parts[3] ?? 'Z')}` : Number.NaN);
  if (Number.isNaN(date.getTime()))
    throw invalidRequest(`${path} is not a date such as 2026-11-24T11:05:17.013+0000: ${shortened(text)}`);
  return date;
}

const withColon = (zone: string): string => zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function wrongType(path: string, wanted: string, value: unknown): Error {
  return invalidRequest(`${path} must be ${wanted}, not ${describe(value)}`);
}

/** A value as a message names it: only the beginning of a long one, and only the kind of a nested one. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : String(value);
}
