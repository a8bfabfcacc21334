/**
 * The most commands of which each began when the one before had ended: an upper bound of the round trips that a batch has to wait for one
 * after the other, as commands of different activities count too.
 */
export function commandsInARow(asked: readonly { readonly begun: number; readonly ended: number }[]): number {
  let count = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (const { begun, ended } of asked.toSorted((one, other) => one.ended - other.ended)) {
    if (begun < end) continue;
    count += 1;
    end = ended;
  }
  return count;
}
