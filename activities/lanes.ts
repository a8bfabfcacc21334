/** Does the same for each of many things, `width` at a time. The first failure stops the others from beginning, and is thrown. */
export async function forEachAtOnce<T>(
  things: readonly T[],
  width: number,
  act: (thing: T) => Promise<void>,
): Promise<void> {
  const left = [...things];
  let failed = false;
  const lane = async (): Promise<void> => {
    for (let thing = left.shift(); thing !== undefined && !failed; thing = left.shift()) {
      try {
        await act(thing);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, left.length) }, lane));
}
