import type { Checkpoint } from '../../activities/activity-context.ts';

/** A test's activities. */
interface Held {
  atCheckpoint: ((at: Checkpoint, batchId: string) => Promise<void>) | undefined;
}

/** Holds the first activity that reaches a checkpoint, until it is released. */
export function holdFirstAt(
  held: Held,
  checkpoint: Checkpoint,
): { readonly reached: Promise<void>; readonly letGo: () => void } {
  let reach = (): void => undefined;
  let letGo = (): void => undefined;
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let isFirst = true;
  held.atCheckpoint = async (at) => {
    if (at !== checkpoint || !isFirst) return;
    isFirst = false;
    reach();
    await gate;
  };
  return { reached, letGo };
}
