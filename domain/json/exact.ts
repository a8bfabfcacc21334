import { closingQuote, numberAt } from './source.ts';

/** Consecutive digits of an integer beyond the safe ones. */
const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d+$/;
const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * JSON text of a value, as `JSON.stringify` writes it, except for integers beyond ±2^53: their exact value, where `JSON.stringify` writes the
 * shortest digits that give the same double, followed by zeros. So `findFlaws` accepts the text of an answer as the same number, and a
 * caller can send it back. Recursive: for values of bounded depth.
 */
export function exactJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (!LONG_NUMBER.test(text)) return text;
  const parts: string[] = [];
  let written = 0;
  for (let at = 0; at < text.length; at++) {
    const first = text.charCodeAt(at);
    if (first === QUOTE) at = closingQuote(text, at);
    if (first !== MINUS && (first < ZERO || first > NINE)) continue;
    const literal = numberAt(text, at);
    if (literal === undefined) continue;
    if (INTEGER.test(literal) && !Number.isSafeInteger(Number(literal))) {
      parts.push(text.slice(written, at), String(BigInt(Number(literal))));
      written = at + literal.length;
    }
    at += literal.length - 1;
  }
  parts.push(text.slice(written));
  return parts.join('');
}
