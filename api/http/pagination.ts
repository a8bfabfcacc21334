import type { Total } from '../../domain/batch/total.ts';

/** How a list ends a page. @param cursor null on the last page. */
export const paginationOf = ({ count, isCapped }: Total, cursor: string | null) => ({
  hasNextPage: cursor !== null,
  total: count,
  ...(isCapped && { totalIsCapped: true as const }),
  cursor,
});
