/** A broken invariant, with what is needed to find its cause. */
export interface Violation {
  readonly rule: string;
  readonly detail: string;
  readonly tenant?: string;
  readonly batchId?: string;
  /** Number of the request in the journal. */
  readonly request?: number;
  readonly item?: number;
  /** `kind/externalId` */
  readonly key?: string;
}
