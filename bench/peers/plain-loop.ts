import { assertSucceeded, batchesOf, openPeerStore, runItems, seedRegions, storeOutcomes } from './run-items.ts';
import { serve } from './serve.ts';

/** The ceiling: one process, a loop over the batches, nothing that outlives a crash. */
const store = await openPeerStore();

serve(async (job) => {
  const batches = batchesOf(job);
  await seedRegions(store, job.tenant);
  const started = performance.now();
  for (const [number, batch] of batches.entries()) {
    const outcomes = await runItems(store, job.tenant, batch);
    assertSucceeded(outcomes);
    await storeOutcomes(store, `${job.tenant}/${number}`, outcomes);
  }
  return (performance.now() - started) / 1000;
});
