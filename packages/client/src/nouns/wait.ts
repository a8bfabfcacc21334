import { DroverError } from '../errors.ts';
import { eventsOf } from '../transport/event-stream.ts';
import { backoff, pause } from '../transport/pause.ts';
import type { Batch, BatchStatus, CallOptions } from '../types.ts';

export interface WaitOptions extends CallOptions {
  /** The state to wait for. Default: the batch has finished, with any status. */
  readonly until?: (batch: Batch) => boolean;
  /** Called with each state that is seen, including the last one. */
  readonly onChange?: (batch: Batch) => void;
  /** Interval in ms in which the status is requested. Default: the batch's events are followed instead. */
  readonly pollMs?: number;
}

/** How the state of a batch or import is read. */
export interface StateSource<T> {
  /** Name of its events. */
  readonly event: 'batch' | 'import';
  get(signal: AbortSignal | undefined): Promise<T>;
  /** An event stream, without a limit of time. */
  open(lastEventId: string | undefined, signal: AbortSignal): Promise<Response>;
}

const RUNNING: readonly BatchStatus[] = ['queued', 'processing', 'waiting'];
/** The service sends a comment every 15 s: a stream that is silent for so long is broken, in ms. */
const SILENCE_MS = 45_000;
/** Between two status requests for a batch whose events cannot be followed, in ms. */
const FIRST_POLL_MS = 500;
const MAX_POLL_MS = 10_000;

/** Whether a batch is in a final state. Only a retry gets it out of that. */
export const isFinished = ({ status }: Pick<Batch, 'status'>): boolean => !RUNNING.includes(status);

/**
 * Waits for a state of a batch: by its events, which are followed again if a stream ends early, or by its status if there
 * are none. @throws DroverError if the service refuses the request, or there is no such batch (any more).
 */
export async function waitFor(source: StateSource<Batch>, options: WaitOptions): Promise<Batch> {
  const { until = isFinished, onChange, pollMs, signal } = options;
  const seen = (batch: Batch): boolean => {
    onChange?.(batch);
    return until(batch);
  };
  if (pollMs === undefined) return follow(source, seen, signal);
  for (;;) {
    const batch = await source.get(signal);
    if (seen(batch)) return batch;
    assertMoreToCome(batch);
    await pause(pollMs, signal);
  }
}

async function follow(
  source: StateSource<Batch>,
  isThere: (batch: Batch) => boolean,
  signal: AbortSignal | undefined,
): Promise<Batch> {
  let lastId: string | undefined;
  for (let failures = 1; ; failures++) {
    for await (const { id, state } of eventStates(source, lastId, signal)) {
      failures = 1;
      lastId = id;
      if (isThere(state)) return state;
    }
    // the stream has ended: at the end of the batch, or because its server or the connection has ended
    const batch = await source.get(signal);
    if (isThere(batch)) return batch;
    assertMoreToCome(batch);
    await pause(backoff(failures, FIRST_POLL_MS, MAX_POLL_MS), signal);
  }
}

/** @throws DroverError if the expected state cannot occur any more. */
function assertMoreToCome(batch: Batch): void {
  if (!isFinished(batch)) return;
  const message = `batch ${batch.batchId} is ${batch.status}, which is not the expected state`;
  throw new DroverError({ status: null, message });
}

/**
 * The states of a batch or import from now on, the last one at its end. Continues if a stream ends early.
 * @throws DroverError if there is no such batch or import (any more); the signal's reason once it is aborted.
 */
export async function* statesToTheEnd<T extends Pick<Batch, 'status'>>(
  source: StateSource<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void> {
  let lastId: string | undefined;
  for (let failures = 1; ; failures++) {
    for await (const { id, state } of eventStates(source, lastId, signal)) {
      failures = 1;
      lastId = id;
      yield state;
      if (isFinished(state)) return;
    }
    // throws if there is nothing to follow; otherwise the stream is opened again, at intervals that grow where none comes through
    const state = await source.get(signal);
    yield state;
    if (isFinished(state)) return;
    await pause(backoff(failures, FIRST_POLL_MS, MAX_POLL_MS), signal);
  }
}

/**
 * The states from now on. Ends if the stream ends, breaks or cannot be opened: the status says why.
 * @throws the signal's reason once it is aborted.
 */
async function* eventStates<T>(
  source: StateSource<T>,
  lastId: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly id: string; readonly state: T }, void> {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENCE_MS);
  const onBytes = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(), SILENCE_MS);
  };
  try {
    const response = await source.open(lastId, signal ? AbortSignal.any([signal, silent.signal]) : silent.signal);
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel();
      return;
    }
    for await (const { event, id, data } of eventsOf(response.body, onBytes)) {
      if (event === source.event) yield { id, state: JSON.parse(data) as T };
    }
  } catch {
    // the stream was interrupted: the status shows the current state
    signal?.throwIfAborted();
  } finally {
    clearTimeout(timer);
    silent.abort();
  }
}
