import type { Total } from '../../domain/batch/total.ts';

/** The end of a page of a list. @param cursor null on the last page. */
export const paginationOf = ({ count, isCapped }: Total, cursor: string | null) => ({
  hasNextPage: cursor !== null,
  total: count,
  ...(isCapped && { totalIsCapped: true as const }),
  cursor,
});
