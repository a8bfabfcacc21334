import { hasOrderOfItsOwn, namesOf } from './name-order.ts';
import { closingQuote, numberAt } from './source.ts';

/** Consecutive digits of an integer beyond the safe ones. */
const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d+$/;
const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * JSON text of a value as `JSON.stringify` writes it, but for two things that it changes: names are in the order in which they were sent
 * (`namesOf`), and -0 is `-0`. Recursive: for values of bounded depth.
 * @throws RangeError if the value is too deep.
 */
export const jsonText = (value: unknown): string => (isWrittenAsItIs(value) ? JSON.stringify(value) : written(value));

/** Whether `JSON.stringify` changes nothing in a value. */
function isWrittenAsItIs(value: unknown): boolean {
  if (typeof value === 'number') return !Object.is(value, -0);
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isWrittenAsItIs);
  if (hasOrderOfItsOwn(value)) return false;
  for (const name in value) if (!isWrittenAsItIs((value as Record<string, unknown>)[name])) return false;
  return true;
}

function written(value: unknown): string {
  if (isWrittenAsItIs(value)) return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return '-0';
  if (Array.isArray(value)) return `[${value.map((item) => written(item ?? null)).join(',')}]`;
  const members = namesOf(value).flatMap((name) => {
    const inner = (value as Record<string, unknown>)[name];
    return inner === undefined ? [] : [`${JSON.stringify(name)}:${written(inner)}`];
  });
  return `{${members.join(',')}}`;
}

/**
 * The same, with the exact value of integers beyond ±2^53, where `JSON.stringify` writes the
 * shortest digits that give the same double, followed by zeros. So `findFlaws` accepts the text of an answer as the same number, and a
 * caller can send it back.
 */
export function exactJson(value: unknown): string {
  const text = jsonText(value);
  if (!LONG_NUMBER.test(text)) return text;
  const parts: string[] = [];
  let copied = 0;
  for (let at = 0; at < text.length; at++) {
    const first = text.charCodeAt(at);
    if (first === QUOTE) at = closingQuote(text, at);
    if (first !== MINUS && (first < ZERO || first > NINE)) continue;
    const literal = numberAt(text, at);
    if (literal === undefined) continue;
    if (INTEGER.test(literal) && !Number.isSafeInteger(Number(literal))) {
      parts.push(text.slice(copied, at), String(BigInt(Number(literal))));
      copied = at + literal.length;
    }
    at += literal.length - 1;
  }
  parts.push(text.slice(copied));
  return parts.join('');
}
