import { summarize } from '../../testkit/measure.ts';

/** What a figure is to reach. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** One measured number: a value a round. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly target?: Target;
  /** What one has to know to read it. */
  readonly note?: string;
  /** Where on the axis of a growth, and of which line. */
  readonly at?: number;
  readonly series?: string;
  /** Where it is printed instead of in a line of its own: a table of medians. */
  readonly table?: {
    readonly title: string;
    readonly row: string;
    readonly column: string;
    /** Whether it is left out where versions are compared: their details need not be the same. */
    readonly isDetail?: true;
  };
}

/** Whether the median reaches the target. */
export function isReached(figure: Figure): boolean | undefined {
  if (figure.target === undefined) return undefined;
  const { median } = summarize(figure.values);
  return 'atLeast' in figure.target ? median >= figure.target.atLeast : median <= figure.target.atMost;
}

/** A figure that is one figure by another, round by round. */
export function ratio(name: string, of: Figure, by: Figure, about: Pick<Figure, 'target' | 'note'> = {}): Figure {
  const base = summarize(by.values).median;
  return {
    name,
    unit: 'x',
    values: of.values.map((value, round) => value / (by.values[round] ?? base)),
    ...(of.table && { table: of.table }),
    ...about,
  };
}
