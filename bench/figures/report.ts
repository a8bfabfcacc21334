import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { summarize } from '../../testkit/measure.ts';
import type { Comparison, Measured } from './comparison.ts';
import { type Figure, isReached, type Target } from './figures.ts';
import type { Machine } from './machine.ts';

/** The results of one benchmark. */
export interface Section {
  readonly name: string;
  readonly about: string;
  /** The first is what the run is about. */
  readonly measured: readonly Measured[];
  readonly comparisons: readonly Comparison[];
  /** Why it was not run, or not to its end. */
  readonly skipped?: string;
}

interface Report {
  readonly startedAt: string;
  readonly machine: Machine;
  /** The servers by the lines in which they said what they are. */
  readonly servers: readonly string[];
  readonly rounds: number;
  /** Share of the full sizes; 1 for figures that count. */
  readonly scale: number;
  readonly sections: readonly Section[];
}

type Say = (line: string) => void;

export function printSection({ name, about, measured, comparisons, skipped }: Section, say: Say): void {
  say(`\n${name}: ${about}`);
  if (skipped !== undefined) say(`  skipped: ${skipped}`);
  for (const { contestant, figures } of measured) {
    if (measured.length > 1) say(`\n  ${contestant}`);
    printFigures(figures, say);
    printTables(figures, say);
  }
  for (const { of, by, ratios } of comparisons) {
    say(`\n  ${of}, by ${by}`);
    printFigures(ratios, say);
    printTables(ratios, say);
  }
}

function printFigures(figures: readonly Figure[], say: Say): void {
  const lines = figures.filter(({ table }) => table === undefined);
  if (lines.length === 0) return;
  const rows = lines.map((figure) => {
    const { median, min, max } = summarize(figure.values);
    return [figure.name, shown(median), shown(min), shown(max), figure.unit, verdict(figure), figure.note ?? ''];
  });
  print([['', 'median', 'min', 'max', '', 'target', ''], ...rows], { from: 1, to: 3 }, say);
}

/** One table for each title: medians, by row and column in the order in which they first come. */
function printTables(figures: readonly Figure[], say: Say): void {
  const cells = figures.flatMap(({ table, values }) => (table ? [{ ...table, median: summarize(values).median }] : []));
  for (const title of new Set(cells.map((cell) => cell.title))) {
    const some = cells.filter((cell) => cell.title === title);
    const columns = [...new Set(some.map(({ column }) => column))];
    const rows = [...new Set(some.map(({ row }) => row))].map((row) => {
      const medians = new Map(some.flatMap((cell) => (cell.row === row ? [[cell.column, shown(cell.median)]] : [])));
      return [row, ...columns.map((column) => medians.get(column) ?? '')];
    });
    print([[title, ...columns], ...rows], { from: 1, to: columns.length }, say);
    say('');
  }
}

function verdict(figure: Figure): string {
  const reached = isReached(figure);
  if (figure.target === undefined || reached === undefined) return '';
  return `${aimOf(figure.target)} ${reached ? 'yes' : 'NO'}`;
}

const aimOf = (target: Target): string => ('atLeast' in target ? `>= ${target.atLeast}` : `<= ${target.atMost}`);

function shown(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

/** Text to the left; numbers, which are in some columns, to the right. */
function print(rows: readonly (readonly string[])[], numbers: { from: number; to: number }, say: Say): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column >= numbers.from && column <= numbers.to
        ? cell.padStart(widths[column] ?? 0)
        : cell.padEnd(widths[column] ?? 0),
    );
    say(`  ${cells.join('  ').trimEnd()}`);
  }
}

/** Writes a report with the values of every round and what they come to. */
export function writeReport(file: string, report: Report): void {
  const summed = (figures: readonly Figure[]) =>
    figures.map((figure) => ({ ...figure, ...summarize(figure.values), reached: isReached(figure) }));
  const sections = report.sections.map(({ measured, comparisons, ...section }) => ({
    ...section,
    figures: summed(measured[0]?.figures ?? []),
    measured: measured.map(({ contestant, figures }) => ({ contestant, figures: summed(figures) })),
    comparisons: comparisons.map(({ ratios, ...comparison }) => ({ ...comparison, ratios: summed(ratios) })),
  }));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...report, sections }, null, 2)}\n`);
}
