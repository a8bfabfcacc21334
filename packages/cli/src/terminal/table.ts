import Table from 'cli-table3';
import stringWidth from 'string-width';

/** A column of a list. */
export interface Column<T> {
  readonly name: string;
  readonly of: (entry: T) => string | number | null | undefined;
  /** Narrow terminals shorten it last. Default: they shorten the widest column first. */
  readonly isKept?: true;
}

const GAP = 2;
/** Narrower, a text says nothing. */
const MIN_WIDTH = 6;
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

const textOf = (value: string | number | null | undefined): string =>
  // what was sent by others must not move the cursor of this terminal
  String(value ?? '').replace(/\p{Cc}/gu, ' ');

/** A table as wide as it has to be, and at most `width`; what does not fit is cut, with `…`. @param toHead styles a heading. */
export function tableOf<T>(
  entries: readonly T[],
  columns: readonly Column<T>[],
  width: number,
  toHead: (text: string) => string,
): string {
  const cells = entries.map((entry) => columns.map(({ of }) => textOf(of(entry))));
  const natural = columns.map(({ name }, at) =>
    Math.max(stringWidth(name), ...cells.map((row) => stringWidth(row[at] ?? ''))),
  );
  const colWidths = fitted(natural, columns, width).map((columnWidth) => columnWidth + GAP);
  const style = { 'padding-left': 0, 'padding-right': GAP, head: [], border: [], compact: true };
  const table = new Table({ head: columns.map(({ name }) => toHead(name)), chars: NO_LINES, style, colWidths });
  table.push(...cells);
  return table.toString().replace(/ +$/gm, '');
}

/** Widths that fit: of the columns that may be shortened the widest loses first. */
function fitted<T>(natural: readonly number[], columns: readonly Column<T>[], width: number): number[] {
  const widths = [...natural];
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
