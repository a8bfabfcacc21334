import { closingQuote, numberAt } from './json-source.ts';

/** Digits in a row that an integer beyond the safe ones has. */
const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d+$/;

/**
 * JSON text of a value, as `JSON.stringify` writes it, but for integers beyond ±2^53: their exact value, where that writes the
 * shortest digits which lead back to the double, and zeros. So what was read is what `findFlaws` takes, and the same number: a
 * caller can send it back. Recursive: for values of bounded depth.
 */
export function exactJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (!LONG_NUMBER.test(text)) return text;
  const parts: string[] = [];
  let written = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') {
      at = closingQuote(text, at);
      continue;
    }
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
