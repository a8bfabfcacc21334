/** A long computation: it yields every few milliseconds, so that whoever runs it can see to other things, or give it up. */
export type Computation<T> = Generator<undefined, T>;

/** Small steps of a computation between two of its yields. */
export const STEPS_PER_SLICE = 20_000;

/** Runs a computation to its end at once. */
export function atOnce<T>(computation: Computation<T>): T {
  for (;;) {
    const step = computation.next();
    if (step.done) return step.value;
  }
}

/** Runs a computation; `betweenTurns` is awaited each time that it yields, and ends it by what it throws. */
export async function inSlices<T>(computation: Computation<T>, betweenTurns: () => Promise<void>): Promise<T> {
  for (;;) {
    const step = computation.next();
    if (step.done) return step.value;
    await betweenTurns();
  }
}
