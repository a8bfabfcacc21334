import { strings } from '../strings.ts';

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** The two largest units of a duration: `3 min 20 s`. @param ms not negative. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  let left = Math.round(ms / 1_000);
  const parts: string[] = [];
  for (const [unit, seconds] of UNITS) {
    const n = Math.floor(left / seconds);
    left -= n * seconds;
    if (n > 0) parts.push(`${n} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

/** Below this, a moment is shown as now, in ms. */
const NOW_MS = 5_000;

/** A moment beside the present one, in its largest unit: `3 min ago`, `in 2 h`. */
export function relative(moment: number, now: number): string {
  const distance = now - moment;
  if (Math.abs(distance) < NOW_MS) return strings.time.now;
  const seconds = Math.round(Math.abs(distance) / 1_000);
  const [unit, size] = UNITS.find((each) => seconds >= each[1]) ?? UNITS[3];
  const largest = `${Math.floor(seconds / size)} ${unit}`;
  return distance > 0 ? strings.time.ago(largest) : strings.time.in(largest);
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytes(n: number): string {
  const power = n < 1_000 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log10(n) / 3));
  const value = n / 1_000 ** power;
  return `${value.toFixed(power > 0 && value < 10 ? 1 : 0)} ${BYTE_UNITS[power]}`;
}

// one for all: to make one takes longer than to use it a hundred times
const NUMBERS = new Intl.NumberFormat('en');
const MOMENTS = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

export const number = (n: number): string => NUMBERS.format(n);

/** The exact moment, as the user's browser writes it. @param at ISO date. */
export const moment = (at: string): string => MOMENTS.format(new Date(at));

/** The last part of an id: two ids of one moment begin alike. */
export const shortId = (id: string): string => id.slice(-8);
