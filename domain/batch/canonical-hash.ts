import { createHash } from 'node:crypto';

/** Length of the text that is hashed at once, in characters. */
const CHUNK = 64 * 1024;
/** Encodes lone surrogates, which UTF-8 cannot represent, so that different ones have different hashes. */
const ENCODING = 'utf16le';

/** An open object or array: its names in order (null: an array), and the next of its values. */
interface Frame {
  readonly names: readonly string[] | null;
  readonly values: Readonly<Record<string, unknown>> | readonly unknown[];
  at: number;
}

/**
 * A hash that two texts share exactly if they are the same JSON value: white space, the order of members and the way in which a
 * number or a character is written do not count. `about` separates hashes of different purposes. Depth costs memory, not
 * stack, and no second copy of the text is made.
 */
export function canonicalHash(about: readonly string[], root: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(about));
  const open: Frame[] = [];
  let text = '';
  const begin = (value: unknown): void => {
    if (typeof value === 'string') text += written(value);
    else if (typeof value !== 'object' || value === null) text += String(value);
    else if (Array.isArray(value)) {
      text += '[';
      open.push({ names: null, values: value, at: 0 });
    } else {
      text += '{';
      open.push({ names: sorted(Object.keys(value)), values: value as Record<string, unknown>, at: 0 });
    }
  };
  begin(root);
  for (let frame = open.at(-1); frame !== undefined; frame = open.at(-1)) {
    if (text.length > CHUNK) {
      hash.update(text, ENCODING);
      text = '';
    }
    const { names, values, at } = frame;
    if (at === (names ?? (values as readonly unknown[])).length) {
      text += names === null ? ']' : '}';
      open.pop();
      continue;
    }
    frame.at += 1;
    if (at > 0) text += ',';
    if (names === null) begin((values as readonly unknown[])[at]);
    else {
      const name = names[at] as string;
      text += written(name);
      begin((values as Readonly<Record<string, unknown>>)[name]);
    }
  }
  return hash.update(text, ENCODING).digest('hex');
}

/** A string with its length in front: nothing in it needs to be escaped. */
const written = (text: string): string => `${text.length}"${text}`;

/** Most objects have few names, or names that are already in order. */
function sorted(names: string[]): readonly string[] {
  for (let at = 1; at < names.length; at++) if ((names[at - 1] as string) > (names[at] as string)) return names.sort();
  return names;
}
