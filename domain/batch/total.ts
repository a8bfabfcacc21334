import { MAX_TOTAL } from '../limits.ts';

/** How many entries a list has: exact up to `MAX_TOTAL`, and beyond it that number. */
export interface Total {
  readonly count: number;
  readonly isCapped: boolean;
}

/** Counting may stop at this number: one more than the largest exact total. */
export const COUNT_LIMIT = MAX_TOTAL + 1;

/** @param counted exact, or any number above `MAX_TOTAL` if counting has stopped. */
export const totalOf = (counted: number): Total => ({
  count: Math.min(MAX_TOTAL, Math.max(0, counted)),
  isCapped: counted > MAX_TOTAL,
});

/** A total as text for a message: `1 batch`, `more than 10000 batches`. */
export const totalText = ({ count, isCapped }: Total, one: string, many: string): string =>
  `${isCapped ? 'more than ' : ''}${count} ${count === 1 ? one : many}`;
