import { type Figure, ratio } from './figures.ts';

/** The figures of one of those that were measured. */
export interface Measured {
  readonly contestant: string;
  readonly figures: readonly Figure[];
}

/** The figures of one by those of another, of the same names. */
export interface Comparison {
  readonly of: string;
  readonly by: string;
  readonly ratios: readonly Figure[];
}

/** Round by round: one round followed the other, so that what else the machine did weighs on both. */
export function compare(of: Measured, by: Measured): Comparison {
  const base = new Map(by.figures.map((figure) => [figure.name, figure]));
  const ratios = of.figures.flatMap((figure) => {
    const other = base.get(figure.name);
    // what is nothing has no ratio
    const isComparable = other?.values.every((value) => value !== 0) && !figure.table?.isDetail;
    return other !== undefined && isComparable ? [ratio(figure.name, figure, other)] : [];
  });
  return { of: of.contestant, by: by.contestant, ratios };
}
