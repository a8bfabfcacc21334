/** A measured point: `y` at `x`. */
interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * The line `y = base + slope * x` that is nearest to all points by their relative errors: measured times have an error that grows
 * with them, so that by absolute errors the longest one alone would decide.
 */
export function lineThrough(points: readonly Point[]): { readonly base: number; readonly slope: number } {
  let [weights, xs, ys, xxs, xys] = [0, 0, 0, 0, 0];
  for (const { x, y } of points.filter((point) => point.y > 0)) {
    const weight = 1 / y ** 2;
    weights += weight;
    xs += weight * x;
    ys += weight * y;
    xxs += weight * x * x;
    xys += weight * x * y;
  }
  const slope = (weights * xys - xs * ys) / (weights * xxs - xs * xs);
  return { base: (ys - slope * xs) / weights, slope };
}
