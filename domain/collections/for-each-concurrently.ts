/**
 * Does the same for each of many things, `width` at a time. A failure stops others from beginning, and is thrown when those that
 * have begun are done: nothing goes on behind the caller's back.
 */
export async function forEachConcurrently<T>(
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
  const ends = await Promise.allSettled(Array.from({ length: Math.min(width, left.length) }, lane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
