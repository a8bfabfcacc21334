import Table from 'cli-table3';
import stringWidth from 'string-width';
import { oneLine } from './plain.ts';

/** A column of a list. */
export interface Column<T> {
  readonly name: string;
  readonly of: (entry: T) => string | number | null | undefined;
  /** Says what an entry is: a narrow terminal leaves out other columns, from the last on, and shortens this one only as the last resort. */
  readonly isKept?: true;
  /** Colours its text on a terminal. */
  readonly paint?: (text: string) => string;
}

const GAP = 2;
/** Narrower, a text that is cut says nothing. */
const MIN_WIDTH = 8;
const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};

const textOf = (value: string | number | null | undefined): string => oneLine(String(value ?? ''));

/** A table as wide as it has to be, and at most `width`; what does not fit is cut, with `…`. @param toHead styles a heading. */
export function tableOf<T>(
  entries: readonly T[],
  all: readonly Column<T>[],
  width: number,
  toHead: (text: string) => string,
): string {
  const naturalOf = ({ name, of }: Column<T>): number =>
    Math.max(stringWidth(name), ...entries.map((entry) => stringWidth(textOf(of(entry)))));
  const columns = shown(
    all.map((column) => ({ ...column, width: naturalOf(column) })),
    width,
  );
  const colWidths = fitted(columns, width).map((columnWidth) => columnWidth + GAP);
  const style = { 'padding-left': 0, 'padding-right': GAP, head: [], border: [], compact: true };
  const table = new Table({ head: columns.map(({ name }) => toHead(name)), chars: NO_LINES, style, colWidths });
  const cellOf = (entry: T, { of, paint = asItIs }: Column<T>): string => paint(textOf(of(entry)));
  table.push(...entries.map((entry) => columns.map((column) => cellOf(entry, column))));
  return table.toString().replace(/ +$/gm, '');
}

const asItIs = (text: string): string => text;

interface Sized {
  readonly width: number;
  readonly isKept?: true;
}

/** The columns that have room for enough of their text: without the last ones that are not kept. */
function shown<C extends Sized>(all: readonly C[], width: number): readonly C[] {
  const columns = [...all];
  const needed = ({ width: natural, isKept }: C): number => (isKept ? natural : Math.min(natural, MIN_WIDTH));
  for (;;) {
    const sum = columns.reduce((total, column) => total + needed(column) + GAP, 0);
    const last = columns.findLastIndex(({ isKept }) => !isKept);
    if (sum <= width || last === -1) return columns;
    columns.splice(last, 1);
  }
}

/** Widths that fit: of the columns that may be shortened the widest loses first. */
function fitted(columns: readonly Sized[], width: number): number[] {
  const widths = columns.map((column) => column.width);
  const room = width - GAP * columns.length;
  for (const kept of [true, false]) {
    for (;;) {
      const over = widths.reduce((sum, one) => sum + one, 0) - room;
      const shortened = widths.map((one, at) => (kept && columns[at]?.isKept ? 0 : one));
      const widest = Math.max(...shortened);
      if (over <= 0 || widest <= MIN_WIDTH) break;
      widths[shortened.indexOf(widest)] = widest - 1;
    }
  }
  return widths;
}

/** For other programs: a line of names, and one for each entry, its values between tabs. */
export const tabbed = <T>(entries: readonly T[], columns: readonly Column<T>[]): string =>
  [columns.map(({ name }) => name), ...entries.map((entry) => columns.map(({ of }) => textOf(of(entry))))]
    .map((values) => values.join('\t'))
    .join('\n');
