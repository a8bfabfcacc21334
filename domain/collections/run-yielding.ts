/** A long computation: it yields every few milliseconds, so that its caller can do other things, or stop it. */
export type Computation<T> = Generator<undefined, T>;

/** Small steps of a computation between two of its yields. */
export const STEPS_PER_YIELD = 20_000;

/** Runs a computation to its end at once. */
export function atOnce<T>(computation: Computation<T>): T {
  for (;;) {
    const step = computation.next();
    if (step.done) return step.value;
  }
}

/** Runs a computation; `atYield` is awaited at each yield, and an error that it throws ends the computation. */
export async function runYielding<T>(computation: Computation<T>, atYield: () => Promise<void>): Promise<T> {
  for (;;) {
    const step = computation.next();
    if (step.done) return step.value;
    await atYield();
  }
}
