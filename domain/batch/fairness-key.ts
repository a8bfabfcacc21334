/** Batches up to this size do not wait behind the larger ones of their tenant. */
const SMALL_BATCH = 100;
/** Weight of the batches of imports among those of the same priority; any other batch has weight 1: an import takes what others leave. */
const IMPORT_WEIGHT = 0.2;
/** Longest fairness key, in bytes (a limit of Temporal). */
const MAX_KEY = 64;

/**
 * Priority and fairness key of a batch's tasks. Tasks of a more urgent priority are dispatched before all others, whosever they are. Among those of
 * one priority, Temporal dispatches the tasks of different keys alternately, so those of a tenant alternate with other tenants', and those of its small batches
 * with those of its large ones.
 * @param scope `platform/tenant`, escaped.
 * @param priority 1 to 5; absent: `DEFAULT_PRIORITY`, which is Temporal's own.
 */
export function fairness({
  scope,
  total,
  ofImport,
  priority = ofImport?.priority,
}: {
  readonly scope: string;
  readonly total: number;
  readonly ofImport?: { readonly priority: number };
  readonly priority?: number;
}): { priorityKey?: number; fairnessKey: string; fairnessWeight?: number } {
  const kind = ofImport === undefined ? (total <= SMALL_BATCH ? 's' : 'l') : 'i';
  return {
    ...(priority !== undefined && { priorityKey: priority }),
    fairnessKey: fitting(`${kind}/${scope}`),
    ...(ofImport && { fairnessWeight: IMPORT_WEIGHT }),
  };
}

const fitting = (key: string): string => (key.length <= MAX_KEY ? key : `${key.slice(0, MAX_KEY - 9)}~${hash(key)}`);

/** Recovery has a task every few minutes, which does not wait behind the tasks of any tenant. */
export const RECOVERY_PRIORITY = { priorityKey: 1, fairnessKey: 'recovery' } as const;

/** FNV-1a, 32 bits, in hexadecimal: distinguishes long names that begin alike. */
function hash(text: string): string {
  let sum = 0x811c9dc5;
  for (const character of text) sum = Math.imul(sum ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, '0');
}
