import { type Batch, type CallOptions, DroverError, type Import, isFinished } from '@drover/client';
import { type UseQueryResult, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useDrover } from '../session/drover-context.ts';

/** `live`: by events. `polling`: there are no events now, and its status is requested instead. `final`: it has finished. */
export type Liveness = 'live' | 'polling' | 'final';

interface Live<T> {
  readonly query: UseQueryResult<T>;
  readonly liveness: Liveness;
}

/** How the states of something are read; the same object for as long as it is shown. */
interface Source<T> {
  get(id: string, options: CallOptions): Promise<T>;
  events(id: string, options: CallOptions): AsyncGenerator<T, void>;
}

/** While events cannot be followed, in ms: how often the status is requested, and after how long events are tried again. */
const POLL_MS = 2_000;
const FOLLOW_AGAIN_MS = 5_000;

export const useLiveBatch = (batchId: string): Live<Batch> => useLive('batch', batchId, useDrover().batches);
export const useLiveImport = (importId: string): Live<Import> => useLive('import', importId, useDrover().imports);

/** Something with each of its changes: by server-sent events, and by polling where they do not come through. */
function useLive<T extends Pick<Batch, 'status'>>(noun: string, id: string, source: Source<T>): Live<T> {
  const cache = useQueryClient();
  const [isFollowed, setIsFollowed] = useState(true);
  const query = useQuery({
    queryKey: [noun, id],
    queryFn: ({ signal }) => source.get(id, { signal }),
    refetchInterval: ({ state }) =>
      isFollowed || state.data === undefined || isFinished(state.data) ? false : POLL_MS,
  });
  const isRunning = query.data !== undefined && !isFinished(query.data);
  useEffect(() => {
    if (!isRunning) return;
    const ended = new AbortController();
    void follow();
    return () => ended.abort();

    async function follow(): Promise<void> {
      while (!ended.signal.aborted) {
        try {
          for await (const state of source.events(id, ended)) {
            setIsFollowed(true);
            cache.setQueryData([noun, id], state);
          }
          return;
        } catch (error) {
          if (ended.signal.aborted) return;
          setIsFollowed(false);
          // what is gone, and a token that has expired, are seen by the next poll
          if (error instanceof DroverError && error.status === 404) return;
        }
        await new Promise((resolve) => setTimeout(resolve, FOLLOW_AGAIN_MS));
      }
    }
  }, [source, cache, noun, id, isRunning]);
  if (query.data !== undefined && isFinished(query.data)) return { query, liveness: 'final' };
  return { query, liveness: isFollowed ? 'live' : 'polling' };
}
