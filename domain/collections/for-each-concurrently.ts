/**
 * Runs the same function for each of many things, `width` at a time. After a failure no further one begins, and the failure is thrown when the
 * running ones are done: nothing continues without the caller.
 */
export async function forEachConcurrently<T>(
  things: readonly T[],
  width: number,
  act: (thing: T) => Promise<void>,
): Promise<void> {
  const left = [...things];
  let failed = false;
  const runNext = async (): Promise<void> => {
    for (let thing = left.shift(); thing !== undefined && !failed; thing = left.shift()) {
      try {
        await act(thing);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(width, left.length) }, runNext));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
