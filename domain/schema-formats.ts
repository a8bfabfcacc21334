import type { Format } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats.js';

/** What external ids have to be beside their length: a lone half of a character is stored as another one. */
export const WHOLE_CHARACTERS_FORMAT = 'x-drover-whole-characters';
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Longest host name, with a dot at its end (RFC 1035). */
const MAX_HOSTNAME = 254;
/** No duration that means anything is longer; the expression for it looks ahead. */
const MAX_DURATION = 256;

/**
 * The formats of ajv-formats in their strict form, without the ones whose expression takes more than linear time: `url` is
 * read by the WHATWG parser instead, and where the format itself has a bound it is looked at first.
 */
export const FORMATS: Readonly<Record<string, Format>> = {
  ...fullFormats,
  [WHOLE_CHARACTERS_FORMAT]: (text: string) => !LONE_SURROGATE.test(text),
  url: isUrl,
  hostname: upTo(MAX_HOSTNAME, fullFormats.hostname),
  duration: upTo(MAX_DURATION, fullFormats.duration),
};

function isUrl(text: string): boolean {
  return /^(?:https?|ftp):\/\/\S+$/i.test(text) && URL.canParse(text);
}

function upTo(length: number, format: Format): (text: string) => boolean {
  if (!(format instanceof RegExp)) throw new Error('a format that was a regular expression is one no more');
  return (text) => text.length <= length && format.test(text);
}
