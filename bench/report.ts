import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { summarize } from '../testkit/measure.ts';
import { type Figure, isReached, type Target } from './figures.ts';
import type { Machine } from './machine.ts';

/** The figures of one benchmark. */
export interface Section {
  readonly name: string;
  readonly about: string;
  readonly figures: readonly Figure[];
  /** Why it was not run, or not to its end. */
  readonly skipped?: string;
}

export interface Report {
  readonly startedAt: string;
  readonly machine: Machine;
  /** The servers by the lines in which they said what they are. */
  readonly servers: readonly string[];
  readonly rounds: number;
  /** Share of the sizes that the issue names; 1 for figures that count. */
  readonly scale: number;
  readonly sections: readonly Section[];
}

export function printSection({ name, about, figures, skipped }: Section, say: (line: string) => void): void {
  say(`\n${name}: ${about}`);
  if (skipped !== undefined) say(`  skipped: ${skipped}`);
  const rows = figures.map((figure) => {
    const { median, min, max } = summarize(figure.values);
    return [figure.name, shown(median), shown(min), shown(max), figure.unit, verdict(figure), figure.note ?? ''];
  });
  for (const line of aligned([['', 'median', 'min', 'max', '', 'target', ''], ...rows])) say(`  ${line}`);
}

function verdict(figure: Figure): string {
  const reached = isReached(figure);
  if (figure.target === undefined || reached === undefined) return '';
  return `${told(figure.target)} ${reached ? 'yes' : 'NO'}`;
}

const told = (target: Target): string => ('atLeast' in target ? `>= ${target.atLeast}` : `<= ${target.atMost}`);

function shown(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

/** Text to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column >= 1 && column <= 3 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** Writes a report with the values of every round and what they come to. */
export function writeReport(file: string, report: Report): void {
  const sections = report.sections.map((section) => ({
    ...section,
    figures: section.figures.map((figure) => ({ ...figure, ...summarize(figure.values), reached: isReached(figure) })),
  }));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...report, sections }, null, 2)}\n`);
}
