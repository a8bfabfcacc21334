import type { Format } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import { hasLoneSurrogate } from '../json/well-formed.ts';

/** The requirement for external ids, beside their length: a lone half of a character is stored as another one. */
export const WHOLE_CHARACTERS_FORMAT = 'x-drover-whole-characters';

/** Longest host name, with a dot at its end (RFC 1035). */
const MAX_HOSTNAME = 254;
/** No meaningful duration is longer; the expression for it uses lookahead. */
const MAX_DURATION = 256;

/**
 * The formats of ajv-formats in their strict form, without those whose expression takes more than linear time: `url` is
 * parsed by the WHATWG parser instead, and if the format itself has a bound, it is checked first.
 */
export const FORMATS: Readonly<Record<string, Format>> = {
  ...fullFormats,
  [WHOLE_CHARACTERS_FORMAT]: (text: string) => !hasLoneSurrogate(text),
  url: isUrl,
  hostname: upTo(MAX_HOSTNAME, fullFormats.hostname),
  duration: upTo(MAX_DURATION, fullFormats.duration),
  time: (text) => isTime(text, OFFSET),
  'date-time': (text) => isDateTime(text, /t/i, OFFSET),
  'iso-time': (text) => isTime(text, NO_OFFSET),
  'iso-date-time': (text) => isDateTime(text, /t|\s/i, NO_OFFSET),
};

/** An offset from UTC as in RFC 3339, minutes included; and the same, or none. */
const OFFSET = /^(?:z|([+-])(\d\d):(\d\d))$/i;
const NO_OFFSET = /^(?:z|([+-])(\d\d):(\d\d))?$/i;
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.\d+)?([^\d.].*)?$/;
const MINUTES_PER_DAY = 1_440;

/** A time of RFC 3339. A leap second is the last one of a day in UTC. */
function isTime(text: string, offsets: RegExp): boolean {
  const [, hour, minute, second, rest = ''] = TIME.exec(text) ?? [];
  const offset = offsets.exec(rest);
  if (offset === null || hour === undefined) return false;
  const [, sign, offsetHour = '0', offsetMinute = '0'] = offset;
  const isInRange =
    Number(hour) <= 23 && Number(minute) <= 59 && Number(offsetHour) <= 23 && Number(offsetMinute) <= 59;
  if (!isInRange || Number(second) > 60) return false;
  const ahead = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -1 : 1);
  const minutes = Number(hour) * 60 + Number(minute) - ahead;
  return Number(second) < 60 || (minutes + MINUTES_PER_DAY) % MINUTES_PER_DAY === MINUTES_PER_DAY - 1;
}

function isDateTime(text: string, separator: RegExp, offsets: RegExp): boolean {
  const date = text.slice(0, 10);
  return isDate(date) && separator.test(text.charAt(10)) && isTime(text.slice(11), offsets);
}

const { validate: isDate } = fullFormats.date as { validate: (text: string) => boolean };

function isUrl(text: string): boolean {
  return /^(?:https?|ftp):\/\/\S+$/i.test(text) && URL.canParse(text);
}

function upTo(length: number, format: Format): (text: string) => boolean {
  if (!(format instanceof RegExp)) throw new Error('a format that was a regular expression is one no more');
  return (text) => text.length <= length && format.test(text);
}
