import type { Logger } from 'pino';
import { SchemaCatalog } from '../services/definitions/schema-catalog.ts';
import type { MemoryAllowance } from '../services/deletes/memory-allowance.ts';
import type { StartImportParts } from '../services/imports/start-import.ts';
import { createSemaphore, type Semaphore } from '../services/writes/semaphore.ts';

/** Moments between two steps of an activity at which a test can stop, delay or kill it. */
export type Checkpoint =
  | 'intent-laid'
  | 'checked'
  | 'registered'
  | 'references-checked'
  | 'claimed'
  | 'inserted'
  | 'written'
  | 'outcomes-stored'
  | 'marked'
  | 'committed'
  | 'target-stored'
  | 'referrers-checked'
  | 'deleted'
  | 'planning'
  | 'finishing'
  | 'cut-noted'
  | 'cut-inserted';

/** The services and settings that activities work with. */
export interface ActivityContext extends StartImportParts {
  readonly logger: Logger;
  /** Days that a finished batch is kept; 0 keeps it for ever. */
  readonly retentionDays: number;
  readonly schemas: SchemaCatalog;
  /** For long computations; the time limit of its activity runs while it waits. */
  readonly semaphore: Semaphore;
  /** Memory that all plans of deletes, and searches for cycles over the batches of imports, may hold together. */
  readonly planningMemory: MemoryAllowance;
  /** Resources that one activity applies; absent: chosen by the size of the batch. */
  readonly resourcesPerActivity?: number;
  /** Aborted when the worker is asked to stop: long activities end. */
  readonly stopping?: AbortSignal;
  /** Tests only: awaited at each checkpoint of an activity. */
  readonly checkpoint?: (at: Checkpoint, batchId: string) => Promise<void>;
}

/** @param parts.writersAtOnce default: all. @param parts.importWindow default: one batch at a time. */
export function createActivityContext({
  writersAtOnce = Number.POSITIVE_INFINITY,
  importWindow = 1,
  ...parts
}: Omit<ActivityContext, 'schemas' | 'semaphore' | 'importWindow'> & {
  readonly writersAtOnce?: number;
  readonly importWindow?: number;
}): ActivityContext {
  return {
    ...parts,
    importWindow,
    schemas: new SchemaCatalog(parts.database),
    semaphore: createSemaphore(writersAtOnce),
  };
}
