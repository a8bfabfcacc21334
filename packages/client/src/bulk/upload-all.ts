import type { Batches } from '../nouns/batches.ts';
import type { Resources } from '../nouns/resources.ts';
import { isFinished } from '../nouns/wait.ts';
import { DEFAULT_PATIENCE_MS, patiently } from '../transport/patience.ts';
import { randomKey } from '../transport/random-key.ts';
import type { Batch, CallOptions, NewResource, UploadOptions } from '../types.ts';
import { type Cut, cutsOf, MAX_RESOURCES } from './cuts.ts';
import { inWindow } from './window.ts';

const DEFAULT_IN_FLIGHT = 4;

/** Options of uploads of any number of resources, beside those of one upload. */
export interface UploadAllOptions extends Omit<UploadOptions, 'idempotencyKey'> {
  /**
   * Names this upload, in up to 200 characters. A program that was stopped and uploads the same resources with the same
   * key within 24 hours starts no batch twice. Default: a random one.
   */
  readonly key?: string;
  /** `upload` creates or merges; `patch` only changes what exists. Default `upload`. */
  readonly operation?: 'upload' | 'patch';
  /** Resources of one batch, 1 to 1000. Default 1000. A batch has fewer where 4 MiB are reached. */
  readonly batchSize?: number;
  /** Batches that are at work at a time; one that only waits for missing references does not count. Default 4. */
  readonly inFlight?: number;
  /** Does not wait for the end of the batches: once it returns, all of them are durable. Default false. */
  readonly detach?: boolean;
  /** How long a service that does not answer, or is busy, is waited for, in ms. Default 300,000. */
  readonly patienceMs?: number;
  /** Called for each batch when it is accepted, when it changes, and once it has finished. */
  readonly onBatch?: (batch: UploadedBatch) => void;
}

/** One batch of an upload. */
export interface UploadedBatch {
  readonly batchId: string;
  /** Place of its first resource in the upload, from 0. */
  readonly first: number;
  readonly size: number;
  /** Its latest state; absent when it has just been accepted. */
  readonly state?: Batch;
}

/** What became of all resources of an upload. */
export interface UploadSummary {
  readonly key: string;
  readonly total: number;
  /** Ids of the batches, in the order of the resources. */
  readonly batchIds: readonly string[];
  readonly counts: Batch['counts'];
  readonly actions: Batch['actions'];
}

/** The parts of a client that an upload uses. */
interface Client {
  readonly resources: Resources;
  readonly batches: Batches;
}

/**
 * Uploads any number of resources as batches, and waits until all have finished. Batches are sent in order, and each under a
 * key of its own, so that a request can be repeated, here or by a later run with the same `key`.
 * @throws DroverError where the service refuses a batch, or does not answer for `patienceMs`.
 */
export async function uploadAll(
  client: Client,
  schema: string,
  resources: AsyncIterable<NewResource> | Iterable<NewResource>,
  options: UploadAllOptions,
): Promise<UploadSummary> {
  const { key = randomKey(), inFlight = DEFAULT_IN_FLIGHT, signal, batchSize = MAX_RESOURCES } = options;
  const states = new Map<number, { readonly size: number; readonly batchId: string; state: Batch | null }>();
  const waitingFor: { readonly cut: Cut; readonly batchId: string }[] = [];
  const one = async (cut: Cut, end: AbortSignal): Promise<void> => {
    const batchId = await send(client, schema, cut, key, { ...options, signal: end });
    states.set(cut.number, { size: cut.resources.length, batchId, state: null });
    report(options, cut, batchId);
    if (options.detach) return;
    const isLeft = (batch: Batch): boolean => !isAtWork(batch) || isLater(options);
    const state = await follow(client, cut, batchId, { ...options, signal: end }, isLeft);
    if (isFinished(state)) states.set(cut.number, { size: cut.resources.length, batchId, state });
    else waitingFor.push({ cut: { ...cut, resources: [] }, batchId });
  };
  await inWindow(cutsOf(resources, batchSize), inFlight, signal, one);
  // what they miss may have come with the last batch
  for (const { cut, batchId } of waitingFor) {
    const state = await follow(client, cut, batchId, options, isFinished);
    states.set(cut.number, { size: state.progress.totalRecords, batchId, state });
  }
  return summaryOf(
    key,
    [...states].sort(([a], [b]) => a - b).map(([, batch]) => batch),
  );
}

const isAtWork = ({ status }: Batch): boolean => status === 'queued' || status === 'processing';

/** Whether the batches begin at a time that has not come. */
const isLater = ({ startAt }: UploadAllOptions): boolean => startAt !== undefined && Date.parse(startAt) > Date.now();

function report({ onBatch }: UploadAllOptions, { first, resources }: Cut, batchId: string, state?: Batch): void {
  const size = state?.progress.totalRecords ?? resources.length;
  onBatch?.({ batchId, first, size, ...(state && { state }) });
}

async function send(
  { resources }: Client,
  schema: string,
  cut: Cut,
  key: string,
  options: UploadAllOptions & CallOptions,
): Promise<string> {
  const { operation = 'upload', patienceMs = DEFAULT_PATIENCE_MS, signal } = options;
  const {
    onBatch: _,
    batchSize: _1,
    inFlight: _2,
    patienceMs: _3,
    key: _4,
    operation: _5,
    detach: _6,
    ...query
  } = options;
  const keyed = { ...query, idempotencyKey: `${key}-${cut.number}` };
  const call = () =>
    operation === 'patch'
      ? resources.patch(schema, cut.resources, keyed)
      : resources.upload(schema, cut.resources, keyed);
  return (await patiently(call, patienceMs, signal)).batchId;
}

function follow(
  { batches }: Client,
  cut: Cut,
  batchId: string,
  options: UploadAllOptions,
  until: (batch: Batch) => boolean,
): Promise<Batch> {
  const { signal, patienceMs = DEFAULT_PATIENCE_MS } = options;
  const onChange = (batch: Batch): void => report(options, cut, batchId, batch);
  return patiently(() => batches.wait(batchId, { until, onChange, ...(signal && { signal }) }), patienceMs, signal);
}

function summaryOf(
  key: string,
  batches: readonly { readonly size: number; readonly batchId: string; readonly state: Batch | null }[],
): UploadSummary {
  const sum = <K extends string>(of: (state: Batch) => Readonly<Record<K, number>>, empty: Record<K, number>) => {
    const total = { ...empty };
    for (const { state } of batches) {
      if (state !== null) for (const name of Object.keys(empty) as K[]) total[name] += of(state)[name];
    }
    return total;
  };
  // of batches that are not waited for
  const unknown = batches.filter(({ state }) => state === null).reduce((total, { size }) => total + size, 0);
  return {
    key,
    total: batches.reduce((total, { size }) => total + size, 0),
    batchIds: batches.map(({ batchId }) => batchId),
    counts: sum(({ counts }) => counts, { ...NO_COUNTS, queued: unknown }),
    actions: sum<keyof typeof NO_ACTIONS>(({ actions }) => actions, { ...NO_ACTIONS }),
  };
}

const NO_COUNTS: Batch['counts'] = {
  queued: 0,
  pending: 0,
  succeeded: 0,
  failed: 0,
  expired: 0,
  skipped: 0,
  cancelled: 0,
};
const NO_ACTIONS: Required<Omit<Batch['actions'], 'reverted'>> = {
  created: 0,
  updated: 0,
  unchanged: 0,
  deleted: 0,
  cascaded: 0,
};
