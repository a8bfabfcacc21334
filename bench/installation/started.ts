/** What has to be stopped where a run is ended early: in reverse order of its start. */
const started: Array<() => Promise<void>> = [];

/** @returns `stop`, which also forgets it. */
export function untilStopped(stop: () => Promise<void>): () => Promise<void> {
  const once = async (): Promise<void> => {
    const at = started.indexOf(once);
    if (at < 0) return;
    started.splice(at, 1);
    await stop();
  };
  started.push(once);
  return once;
}

export async function stopStarted(): Promise<void> {
  for (const stop of started.toReversed()) await stop();
}
