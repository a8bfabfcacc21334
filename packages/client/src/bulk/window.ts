/**
 * Runs tasks over entries as they arrive, at most `size` at a time; the source is read only as fast as that. The first failure ends
 * it: running tasks are aborted and waited for. @throws what the source or a task throws first.
 */
export async function inWindow<T>(
  entries: AsyncIterable<T>,
  size: number,
  signal: AbortSignal | undefined,
  task: (entry: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const ended = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | null = null;
  const fail = (error: unknown): void => {
    failure ??= { error };
    failed.abort(error);
  };
  try {
    for await (const entry of entries) {
      ended.throwIfAborted();
      const one: Promise<void> = task(entry, ended)
        .catch(fail)
        .finally(() => running.delete(one));
      running.add(one);
      if (running.size >= size) await Promise.race(running);
      ended.throwIfAborted();
    }
  } catch (error) {
    fail(error);
  }
  await Promise.all(running);
  throwFirst(failure);
}

function throwFirst(failure: { readonly error: unknown } | null): void {
  if (failure !== null) throw failure.error;
}
