/** Waits until all work has ended, whatever becomes of one: nothing of it is under way any more. @throws as the first one that failed. */
export async function allDone<T extends readonly unknown[]>(
  work: readonly [...T],
): Promise<{ -readonly [At in keyof T]: Awaited<T[At]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
