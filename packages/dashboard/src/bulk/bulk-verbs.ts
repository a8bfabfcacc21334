import type { components } from '@drover/client';

export type BulkOperation = components['schemas']['BulkOperationData'];

/** What can be done with all batches that fit a filter, in the order of buttons. */
export const BULK_VERBS = [
  'suspend',
  'resume',
  'cancel',
  'retry',
  'delete',
] as const satisfies readonly BulkOperation['operation'][];
export type BulkVerb = (typeof BULK_VERBS)[number];
