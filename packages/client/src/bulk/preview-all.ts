import type { Resources } from '../nouns/resources.ts';
import { DEFAULT_PATIENCE_MS, patiently } from '../transport/patience.ts';
import type { NewResource, PreviewedItem, UploadOptions } from '../types.ts';
import { cutsOf, MAX_RESOURCES } from './cuts.ts';

/** Options of previews of uploads of any number of resources, beside those of one upload. */
export interface PreviewAllOptions extends Omit<UploadOptions, 'idempotencyKey'> {
  /** `upload` creates or merges; `patch` only changes what exists. Default `upload`. */
  readonly operation?: 'upload' | 'patch';
  /** Resources of one batch, 1 to 1000. Default 1000. */
  readonly batchSize?: number;
  /** How long a service that does not answer, or is busy, is waited for, in ms. Default 300,000. */
  readonly patienceMs?: number;
}

/**
 * The outcome that each resource would have now, in their order; `index` counts from the first resource. Each batch is decided without the
 * others: a reference to a resource of another batch is missing unless that is stored. @throws DroverError
 */
export async function* previewAll(
  client: Resources,
  schema: string,
  resources: AsyncIterable<NewResource> | Iterable<NewResource>,
  options: PreviewAllOptions,
): AsyncGenerator<PreviewedItem, void> {
  const { operation = 'upload', batchSize = MAX_RESOURCES, patienceMs = DEFAULT_PATIENCE_MS, ...asked } = options;
  for await (const cut of cutsOf(resources, batchSize)) {
    const call = () =>
      operation === 'patch'
        ? client.previewPatch(schema, cut.resources, asked)
        : client.previewUpload(schema, cut.resources, asked);
    const { items } = await patiently(call, patienceMs, options.signal);
    for (const item of items) yield { ...item, index: cut.first + item.index };
  }
}
