import type { BulkVerb } from '@drover/client';

/** What can be done with all batches that fit a filter, in the order of choices. */
export const BULK_VERBS = ['suspend', 'resume', 'cancel', 'retry', 'delete'] as const satisfies readonly BulkVerb[];
