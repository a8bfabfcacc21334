/** Why an item did not succeed: one closed list (docs/api.md#status-and-outcomes). */
export const ERROR_CODES = [
  'malformed',
  'missing_external_id',
  'invalid_external_id',
  'validation',
  'unknown_field',
  'required_field',
  'conflict',
  'not_found',
  'missing_dependency',
  'dependency_expired',
  'referenced',
  'changed_since',
  'cancelled',
  'internal',
] as const;
export type ItemErrorCode = (typeof ERROR_CODES)[number];

/** One fault of one item. `field` is a top-level field name or a JSON pointer below it. */
export interface ItemError {
  readonly code: ItemErrorCode;
  readonly message: string;
  readonly field?: string;
}

export const ITEM_STATUSES = ['queued', 'pending', 'succeeded', 'failed', 'expired', 'skipped', 'cancelled'] as const;
export type ItemStatus = (typeof ITEM_STATUSES)[number];

/** Whether an item is still to be applied; one without an outcome is queued. */
export const isOpen = (status: ItemStatus | undefined): boolean =>
  status === undefined || status === 'queued' || status === 'pending';

export type ItemAction = 'created' | 'updated' | 'unchanged' | 'deleted' | 'reverted';

/** A missing identity that a pending or failed item refers to. Callers and stored outcomes know it by its old name, `missingDependencies`. */
export interface MissingReference {
  readonly schemaDefinitionId: string;
  readonly schemaName: string;
  readonly externalId: string;
}

export type Counts = Record<ItemStatus, number>;
/** `reverted` only of an undo. */
export type Actions = Record<Exclude<ItemAction, 'reverted'> | 'cascaded', number> & { reverted?: number };

export const noCounts = (): Counts => ({
  queued: 0,
  pending: 0,
  succeeded: 0,
  failed: 0,
  expired: 0,
  skipped: 0,
  cancelled: 0,
});

export const noActions = (): Actions => ({ created: 0, updated: 0, unchanged: 0, deleted: 0, cascaded: 0 });
