import type { ItemAnswer, JsonObject, ResourceAnswer } from '../workload/answers.ts';
import type { KindName } from '../workload/definitions.ts';

export interface SentItem {
  readonly externalId: string | null;
  /** Absent in a delete. */
  readonly body?: JsonObject;
  /** The item is wrong on purpose, and has to fail with this code. */
  readonly fault?: string;
  /** A row of an import that is none: its text. */
  readonly text?: string;
}

/** A file that is sent as an import: its rows are the items of the request. */
interface SentImport {
  readonly format: 'ndjson' | 'csv';
  /** Rows of each part; absent: all of it in one request. */
  readonly parts?: readonly number[];
  /** Whether a client knows that all of it is accepted: by a 202, or by the answer to its seal. */
  isSealed: boolean;
}

export type SentOperation = 'upload' | 'patch' | 'delete';

/** What became of one attempt to send a request. Where it is unknown, the batch may or may not be there. */
export type SendResult =
  | { readonly kind: 'accepted'; readonly batchId: string; readonly recordCount: number }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'unknown'; readonly why: string };

/** A request that starts a batch, as some client has sent it; more than once only with an idempotency key. */
export interface SentRequest {
  readonly number: number;
  readonly tenant: string;
  readonly operation: SentOperation;
  readonly kind: KindName;
  readonly options: {
    readonly onconflict?: 'upsert' | 'reject';
    readonly ignoreUnknownFields?: boolean;
    readonly dependencyWaitTimeout?: number;
    readonly cascade?: boolean;
    readonly deleteAll?: boolean;
    /** Nothing of it begins before, ISO 8601. */
    readonly startAt?: string;
    /** What it changes is kept, so that it can be undone. */
    readonly undoable?: boolean;
    /** Items wait as long as their import may create what they miss, and then fail. */
    readonly untilEndOfImport?: boolean;
  };
  /** A `deleteAll` has none: the service finds them. */
  readonly items: readonly SentItem[];
  /** It starts an import, whose id takes the place of that of a batch. */
  readonly import?: SentImport;
  readonly key?: string;
  /** Ms since 1970. */
  readonly sentAt: number;
  readonly results: SendResult[];
}

export type Verb = 'suspend' | 'resume' | 'cancel' | 'retry';

export interface ControlRequest {
  readonly tenant: string;
  readonly batchId: string;
  readonly verb: Verb;
  readonly sentAt: number;
  /** Null where the answer was lost. */
  status: number | null;
}

/** A message that a receiver of webhooks has got. */
export interface Told {
  readonly tenant: string;
  readonly type: string;
  /** Of the batch or import. */
  readonly id: string;
}

/** A request to undo a batch, or an import. */
export interface UndoRequest {
  readonly tenant: string;
  /** Of the batch or import. */
  readonly id: string;
  readonly isImport?: true;
  readonly sentAt: number;
  /** Null where the answer was lost: the undo may be there or not. */
  status: number | null;
  /** The batch, or the bulk operation of an import. */
  undoneBy?: string;
}

/** A batch that a client has suspended or cancelled with a 200: what was done at that time, and later. */
export interface Halt {
  readonly tenant: string;
  readonly batchId: string;
  readonly verb: 'suspend' | 'cancel';
  /** Ms since 1970: before the request, and when `later` was counted. */
  readonly from: number;
  readonly to: number;
  /** Items that had succeeded when the answer was there. */
  readonly done: number;
  /** Those when the client was about to resume; null of a cancelled batch, whose end says it. */
  readonly later: number | null;
}

/** A request to remove a batch permanently. What the batch had done is not known any more, but each item was applied at most once. */
export interface Removal {
  readonly tenant: string;
  readonly batchId: string;
  readonly sentAt: number;
  answeredAt: number;
  /** Null where the answer was lost: the batch may be there or not. */
  status: number | null;
  /** It is an import, with all of its batches. */
  readonly isImport?: true;
  /** Every so many of the resources that only this batch writes, and how many of them were there after the answer. */
  sample?: { readonly kind: KindName; readonly ids: readonly string[]; readonly every: number; readonly done: number };
}

/** A resource as a client has read it at some moment between two; null: it was not there. */
interface ResourceRead {
  readonly tenant: string;
  readonly kind: KindName;
  readonly externalId: string;
  readonly from: number;
  readonly to: number;
  readonly resource: ResourceAnswer | null;
}

/** The items of a batch as they were when a client first saw it finished. */
interface SeenEnd {
  readonly tenant: string;
  readonly batchId: string;
  /** Ms since 1970, before it was read, and when it had been read. */
  readonly at: number;
  readonly by: number;
  readonly items: readonly ItemAnswer[];
}

/** All that the clients know: what they have sent, and the answers. */
export interface Journal {
  readonly seed: string;
  /** How far the clocks of workers may be off, in ms; the API's is that of the clients. */
  readonly clocksOffMs: number;
  /** Kind -> id of its schema definition. */
  readonly definitions: Readonly<Record<KindName, string>>;
  /** How often a definition was to be changed under load, by status of the answer. */
  readonly definitionChanges: Record<string, number>;
  /** How often clients did what, by name of the action. */
  readonly actions: Record<string, number>;
  readonly tenants: readonly string[];
  readonly requests: SentRequest[];
  readonly controls: ControlRequest[];
  readonly halts: Halt[];
  readonly removals: Removal[];
  readonly undos: UndoRequest[];
  /** Webhooks of tenants, and what has arrived there. */
  readonly webhooks: { readonly tenant: string; readonly webhookId: string }[];
  readonly told: Told[];
  readonly reads: ResourceRead[];
  readonly seen: SeenEnd[];
  /** Answers that must never be: 5xx other than 503. */
  readonly wrongAnswers: string[];
}

export function batchIdsOf({ results }: SentRequest): string[] {
  return [...new Set(results.flatMap((result) => (result.kind === 'accepted' ? [result.batchId] : [])))];
}
