import { exactJson } from '../json/exact.ts';
import type { JsonValue } from '../write/resource.ts';

/** What stands for null in a cell: an empty one is an absent value. */
const NULL = '\\N';

/**
 * A value as a cell of CSV (RFC 4180) that an import reads as the same value: texts are quoted, the empty one too, so that they differ from
 * an absent value (nothing) and from null (`\N`); objects and arrays are JSON.
 */
export function csvCell(value: JsonValue | undefined): string {
  if (value === undefined) return '';
  if (value === null) return NULL;
  if (typeof value === 'string') return quotedText(value);
  return typeof value === 'object' ? quotedText(exactJson(value)) : exactJson(value);
}

/** A line of cells, with its end. */
export const csvLine = (cells: readonly string[]): string => `${cells.join(',')}\n`;

/** A text as a cell: it may hold delimiters, quotes and ends of lines. */
export const quotedText = (text: string): string => `"${text.replaceAll('"', '""')}"`;
