/** Waits. @param ms at most 2^31 - 1. @throws the signal's reason once it is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Delay before the nth repetition (from 1), in ms: doubles up to `max`, minus a random part of up to half, so that callers do not repeat at the same time. */
export const backoff = (n: number, first: number, max: number): number =>
  Math.min(max, first * 2 ** (n - 1)) * (1 - Math.random() / 2);
