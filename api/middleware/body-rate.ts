import { ApiError } from '../http/api-error.ts';

/** Time in which a body has to bring its least number of bytes, in ms: a pause up to it is put up with. */
const WINDOW_MS = 5_000;

/** A look at a window that comes later than this, in ms, says more of us than of the caller: we were busy and have not read. */
const LATE_MS = 500;

export interface BodyRate {
  /** 0: none. */
  readonly leastBytesPerSecond: number;
  readonly windowMs?: number;
}

/**
 * The chunks of a body, as long as it comes fast enough: whoever holds a body open holds memory that others need.
 * @throws ApiError 408 where a window brings less than its least.
 */
export async function* atLeast(
  body: ReadableStream<Uint8Array>,
  { leastBytesPerSecond, windowMs = WINDOW_MS }: BodyRate,
): AsyncGenerator<Uint8Array, void> {
  const reader = body.getReader();
  const least = (leastBytesPerSecond * windowMs) / 1000;
  let received = 0;
  let since = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const tooSlow = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      const isLate = performance.now() - since > windowMs + LATE_MS;
      if (received < least && !isLate) {
        const message = `the body comes too slowly: less than ${leastBytesPerSecond} bytes a second`;
        reject(new ApiError(408, message));
      }
      received = 0;
      since = performance.now();
    }, windowMs);
  });
  // it may be too slow where nobody waits for it any more
  tooSlow.catch(() => undefined);
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), tooSlow]);
      if (done) return;
      received += value.byteLength;
      yield value;
    }
  } finally {
    clearInterval(timer);
    // what is left is not wanted; it may have broken off already
    await reader.cancel().catch(() => undefined);
  }
}
