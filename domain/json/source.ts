import { shortened } from './shortened.ts';
import { hasLoneSurrogate, wellFormed } from './well-formed.ts';

/**
 * Flaws of a JSON text that its parsed value does not show: a member given twice, of which the parser keeps
 * the last, a number that the parser rounds, and half of a character, which can only be written as an escape. One cheap pass over the bytes
 * counts; the text is read closely only if something may be wrong.
 */

/** Counts over a JSON text. Exact for valid JSON; the faults of any other text are found by the parser. */
export interface JsonCensus {
  /** Objects, arrays and members: the time and memory of parsing depend on their number. */
  readonly parts: number;
  /** Members of all objects, repeated ones too. */
  readonly members: number;
  /** Whether a number may be beyond what a double holds: an integer of 16 digits or more, or an exponent of three or more. */
  readonly hasLongNumber: boolean;
  /** Whether an escape may mean a lone surrogate: half of a character. */
  readonly hasHalfCharacter: boolean;
  /** Whether a name may begin with a digit: JavaScript lists those in an order of its own. */
  readonly hasPlaceName: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const ZERO = 0x30;
const NINE = 0x39;
const POINT = 0x2e;
const PLUS = 0x2b;
const MINUS = 0x2d;
/** A letter of ASCII in lower case; `E` is `e`. */
const LOWER_CASE = 0x20;
const LOWER_E = 0x65;
const LOWER_U = 0x75;
const LOWER_D = 0x64;
const EIGHT = 0x38;
const LOWER_C = 0x63;
/** Bytes of an escape such as `\\ud83d`. */
const ESCAPE_LENGTH = 6;

/** Number of digits that every double holds exactly. */
const SAFE_DIGITS = 15;
/** Digits of an exponent that cannot make a number of `SAFE_DIGITS` digits infinite. */
const SAFE_EXPONENT_DIGITS = 2;

/** Counts the parts of a JSON text; stops if there are more than `maxParts`. */
export function takeCensus(bytes: Uint8Array, maxParts: number): JsonCensus {
  const end = bytes.length;
  let members = 0;
  let nodes = 0;
  let hasLongNumber = false;
  let hasPlaceName = false;
  let lastText = 0;
  const seen = { halfCharacter: false };
  for (let at = 0; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      lastText = at + 1;
      at = endOfString(bytes, at, end, seen);
    } else if (byte <= NINE) {
      if (byte < ZERO) continue;
      let next = endOfDigits(bytes, at, end);
      if (next - at > SAFE_DIGITS) hasLongNumber = true;
      if (bytes[next] === POINT) next = endOfDigits(bytes, next + 1, end);
      if (((bytes[next] ?? 0) | LOWER_CASE) === LOWER_E) {
        next += bytes[next + 1] === PLUS || bytes[next + 1] === MINUS ? 2 : 1;
        const exponent = next;
        next = endOfDigits(bytes, next, end);
        if (next - exponent > SAFE_EXPONENT_DIGITS) hasLongNumber = true;
      }
      at = next - 1;
    } else if (byte === COLON) {
      members += 1;
      hasPlaceName ||= isDigitOrEscape(bytes[lastText]);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) nodes += 1;
    else continue;
    if (nodes + members > maxParts) break;
  }
  return { parts: nodes + members, members, hasLongNumber, hasHalfCharacter: seen.halfCharacter, hasPlaceName };
}

const isDigitOrEscape = (byte = 0): boolean => byte === BACKSLASH || (byte >= ZERO && byte <= NINE);

/** The position of the quote that ends a string, or the end of the text. */
function endOfString(bytes: Uint8Array, start: number, end: number, seen: { halfCharacter: boolean }): number {
  let at = start + 1;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) break;
    if (byte !== BACKSLASH) continue;
    const half = surrogateAt(bytes, at);
    if (half === 'high' && surrogateAt(bytes, at + ESCAPE_LENGTH) === 'low') at += 2 * ESCAPE_LENGTH - 1;
    else {
      if (half !== null) seen.halfCharacter = true;
      at += 1;
    }
  }
  return at;
}

/** The half of a surrogate pair that the escape at this position means; null if it means none. */
function surrogateAt(bytes: Uint8Array, at: number): 'high' | 'low' | null {
  if (bytes[at] !== BACKSLASH || bytes[at + 1] !== LOWER_U) return null;
  const digit = (bytes[at + 3] ?? 0) | LOWER_CASE;
  if (((bytes[at + 2] ?? 0) | LOWER_CASE) !== LOWER_D || digit < EIGHT) return null;
  return digit < LOWER_C ? 'high' : 'low';
}

function endOfDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] as number) >= ZERO && (bytes[at] as number) <= NINE) at += 1;
  return at;
}

/**
 * Members of all objects in a parsed value. Depth costs memory, not stack.
 * @internal exported for tests, which check it by itself
 */
export function countMembers(root: unknown): number {
  let members = 0;
  const open: unknown[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) {
      for (const inner of value) if (typeof inner === 'object' && inner !== null) open.push(inner);
      continue;
    }
    for (const name in value) {
      members += 1;
      const inner = (value as Record<string, unknown>)[name];
      if (typeof inner === 'object' && inner !== null) open.push(inner);
    }
  }
  return members;
}

/** A flaw of a valid JSON text at one place. */
export interface JsonFlaw {
  /** Long names are shortened. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Longest number that a message repeats, in characters. */
const MAX_LITERAL = 40;
/** Largest number of flaws found in one text. */
const MAX_FLAWS = 2_000;
/** Length of the paths below which only the first flaw is reported: one for each `resources[n]`. */
const STEPS_OF_A_PLACE = 2;

/**
 * Members given twice, numbers that would be rounded and halves of characters, in the text that was parsed: the first of each
 * top-level field, or of each entry if it is an array. Only a text that has such a flaw is read closely.
 */
export function findFlaws(text: string, json: unknown, census: JsonCensus): readonly JsonFlaw[] {
  const hasRepeated = census.members !== countMembers(json);
  return hasRepeated || census.hasLongNumber || census.hasHalfCharacter ? readClosely(text) : [];
}

/** An open object or array, and the step to the value in it that is being read. */
interface Frame {
  /** Names seen so far, by number; null in an array. */
  readonly names: Map<string, number> | null;
  step: string | number;
  /** Number of the step: of a name, which may be of any length, in order of first appearance. */
  number: number;
  expectsName: boolean;
}

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Reads a text that is known to be valid. Depth costs memory, not stack. */
function readClosely(text: string): readonly JsonFlaw[] {
  const flaws = new Map<string, JsonFlaw>();
  const frames: Frame[] = [];
  // by the numbers of its steps: a name of megabytes is not copied for every flaw below it
  const note = (message: string): void => {
    reported = frames.slice(0, STEPS_OF_A_PLACE).map(({ number }) => number);
    const place = reported.join();
    if (!flaws.has(place)) flaws.set(place, { path: frames.map(({ step }) => toldStep(step)), message });
  };
  // where the last flaw was found: of millions at one place, no second one is reported
  let reported: readonly number[] | undefined;
  const isReported = (): boolean =>
    reported !== undefined && reported[0] === frames[0]?.number && reported[1] === frames[1]?.number;
  for (let at = 0; at < text.length && flaws.size < MAX_FLAWS; at++) {
    const top = frames.at(-1);
    switch (text[at]) {
      case '{':
        frames.push({ names: new Map(), step: '', number: -1, expectsName: true });
        break;
      case '[':
        frames.push({ names: null, step: 0, number: 0, expectsName: false });
        break;
      case '}':
      case ']':
        frames.pop();
        break;
      case ',':
        if (typeof top?.step === 'number') top.number = top.step += 1;
        else if (top !== undefined) top.expectsName = true;
        break;
      case '"': {
        const end = closingQuote(text, at);
        const raw = text.slice(at + 1, end);
        if (top?.expectsName && top.names !== null) {
          top.step = stringIn(raw);
          top.expectsName = false;
          const known = top.names.get(top.step);
          top.number = known ?? top.names.size;
          if (known !== undefined) note('is given twice');
          else top.names.set(top.step, top.number);
          if (!isReported() && hasLoneSurrogate(top.step)) note(`${HALF_CHARACTER} in its name`);
        } else if (!isReported() && SURROGATE_ESCAPE.test(raw) && hasLoneSurrogate(stringIn(raw))) note(HALF_CHARACTER);
        at = end;
        break;
      }
      default: {
        const literal = numberAt(text, at);
        if (literal === undefined) break;
        const fault = isReported() ? null : faultOfNumber(literal);
        if (fault !== null) note(fault);
        at += literal.length - 1;
      }
    }
  }
  return [...flaws.values()];
}

/** A flaw that UTF-8 cannot represent, and that MongoDB would store as another character. */
const HALF_CHARACTER = 'holds half of a character (a lone surrogate)';
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** Longest name that the path of a flaw repeats, in characters. */
const MAX_NAME_LENGTH_IN_PATH = 300;

const toldStep = (step: string | number): string | number =>
  typeof step === 'number' ? step : shortened(wellFormed(step), MAX_NAME_LENGTH_IN_PATH);

/** The number that begins at this position of a valid JSON text. */
export function numberAt(text: string, at: number): string | undefined {
  NUMBER.lastIndex = at;
  return NUMBER.exec(text)?.[0];
}

/** The quote that ends the string that begins at this position. */
export function closingQuote(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) break;
    if (code === BACKSLASH) at += 1;
  }
  return at;
}

/** The text of a string without its quotes: `"a"` and `"\u0061"` are the same name. */
export const stringIn = (raw: string): string => (raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw);

/**
 * Why a double cannot represent a number. An integer literal, digits alone, is never rounded (end of docs/api.md); a number with a fraction or
 * an exponent means the nearest double. `exactJson` prints the value so that it is read as the same double.
 */
function faultOfNumber(literal: string): string | null {
  const value = Number(literal);
  if (!Number.isFinite(value)) return `is too large a number: ${shortened(literal, MAX_LITERAL)}`;
  const isExact = Number.isSafeInteger(value) || !/^-?\d+$/.test(literal) || BigInt(value) === BigInt(literal);
  if (isExact) return null;
  return `is an integer that a 64-bit floating point number cannot hold exactly: ${shortened(literal, MAX_LITERAL)}; send it as a string`;
}
