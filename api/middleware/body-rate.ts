import { Interruption } from '../../domain/collections/interruption.ts';
import { DroverError } from '../../domain/errors.ts';

/** Time in which a body has to bring its minimum number of bytes, in ms: a shorter pause is accepted. */
const WINDOW_MS = 5_000;

/** A check of a window that comes later than this, in ms, does not count: this process was busy and has not read the body. */
const LATE_MS = 500;

interface BodyRate {
  /** 0: none. */
  readonly leastBytesPerSecond: number;
  readonly windowMs?: number;
}

/**
 * The chunks of a body, as long as it arrives fast enough: an open body occupies memory that other requests need.
 * @throws DroverError 408 if fewer bytes than the minimum arrive within a window.
 */
export async function* atLeast(
  body: ReadableStream<Uint8Array>,
  { leastBytesPerSecond, windowMs = WINDOW_MS }: BodyRate,
): AsyncGenerator<Uint8Array, void> {
  const reader = body.getReader();
  const least = (leastBytesPerSecond * windowMs) / 1000;
  let received = 0;
  let since = performance.now();
  const tooSlow = new Interruption();
  const timer = setInterval(() => {
    const isLate = performance.now() - since > windowMs + LATE_MS;
    if (received < least && !isLate) {
      const message = `the body arrives too slowly: less than ${leastBytesPerSecond} bytes a second`;
      tooSlow.interrupt(new DroverError('body_too_slow', message));
    }
    received = 0;
    since = performance.now();
  }, windowMs);
  try {
    for (;;) {
      const { done, value } = await tooSlow.during(reader.read());
      if (done) return;
      received += value.byteLength;
      yield value;
    }
  } finally {
    clearInterval(timer);
    // the rest of the body is not needed; the connection may be closed already
    await reader.cancel().catch(() => undefined);
  }
}
