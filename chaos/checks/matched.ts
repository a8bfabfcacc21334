import type { SentRequest } from '../record/journal.ts';
import type { BatchState } from '../record/snapshot.ts';

/** A request and the batch that it has become. */
export interface Match {
  readonly tenant: string;
  readonly request: SentRequest;
  /** Of a batch of an import: with the rows of this batch alone. */
  readonly state: BatchState;
  /** When it may have begun, in the same time: a batch of an import is created by a worker, whose clock may be ahead. */
  readonly from: number;
  /** When it had certainly ended, in ms since 1970 by the clock of clients. */
  readonly endedBy: number;
}
