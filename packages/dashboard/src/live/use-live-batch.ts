import type { Batch } from '@drover/client';
import { DroverError, isFinished } from '@drover/client';
import { type UseQueryResult, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useDrover } from '../session/drover-context.ts';

/** `live`: by events. `polling`: there are no events now, and its status is requested instead. `final`: it has finished. */
export type Liveness = 'live' | 'polling' | 'final';

/** While events cannot be followed, in ms: how often the status is requested, and after how long events are tried again. */
const POLL_MS = 2_000;
const FOLLOW_AGAIN_MS = 5_000;

/** A batch with each of its changes: by server-sent events, and by polling where they do not come through. */
export function useLiveBatch(batchId: string): { batch: UseQueryResult<Batch>; liveness: Liveness } {
  const drover = useDrover();
  const cache = useQueryClient();
  const [isFollowed, setIsFollowed] = useState(true);
  const batch = useQuery({
    queryKey: ['batch', batchId],
    queryFn: ({ signal }) => drover.batches.get(batchId, { signal }),
    refetchInterval: ({ state }) =>
      isFollowed || state.data === undefined || isFinished(state.data) ? false : POLL_MS,
  });
  const isRunning = batch.data !== undefined && !isFinished(batch.data);
  useEffect(() => {
    if (!isRunning) return;
    const ended = new AbortController();
    void follow();
    return () => ended.abort();

    async function follow(): Promise<void> {
      while (!ended.signal.aborted) {
        try {
          for await (const state of drover.batches.events(batchId, ended)) {
            setIsFollowed(true);
            cache.setQueryData(['batch', batchId], state);
          }
          return;
        } catch (error) {
          if (ended.signal.aborted) return;
          setIsFollowed(false);
          // a batch that is gone, and a token that has expired, are seen by the next poll
          if (error instanceof DroverError && error.status === 404) return;
        }
        await new Promise((resolve) => setTimeout(resolve, FOLLOW_AGAIN_MS));
      }
    }
  }, [drover, cache, batchId, isRunning]);
  if (batch.data !== undefined && isFinished(batch.data)) return { batch, liveness: 'final' };
  return { batch, liveness: isFollowed ? 'live' : 'polling' };
}
