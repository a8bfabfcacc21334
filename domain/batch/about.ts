/** Priority of a batch, and of an import, that asks for none: in the middle, as that of Temporal. */
export const DEFAULT_PRIORITY = 3;
/** The most urgent priority and the least, as Temporal's priority keys. */
export const PRIORITIES = { min: 1, max: 5 } as const;

/** What a caller says of a batch as a whole, whatever its operation. */
export interface AboutBatch {
  /** A name of the caller's own, to find it again. */
  readonly label?: string | undefined;
  /** 1 (urgent) to 5; absent: `DEFAULT_PRIORITY`. */
  readonly priority?: number | undefined;
  /** The operator of the installation has sent it: its priority is one among the work of all tenants. */
  readonly isForAll?: true | undefined;
  /** Nothing of it begins before; in the past: at once. */
  readonly startAt?: Date | undefined;
  /** Who has sent it: the `sub` of the token. */
  readonly createdBy?: string | undefined;
}

/** Without what is not said: it is not stored. */
export function saidOf({ label, priority, isForAll, startAt, createdBy }: AboutBatch): {
  label?: string;
  priority?: number;
  isForAll?: true;
  startAt?: Date;
  createdBy?: string;
} {
  return {
    ...(label !== undefined && { label }),
    ...(priority !== undefined && { priority }),
    ...(isForAll && { isForAll }),
    ...(startAt !== undefined && { startAt }),
    ...(createdBy !== undefined && { createdBy }),
  };
}
