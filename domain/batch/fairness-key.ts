import { DEFAULT_PRIORITY } from './about.ts';

/** Batches up to this size do not wait behind the larger ones of their tenant. */
const SMALL_BATCH = 100;
/** Share of the tasks of each priority, 1 to 5, beside those of the middle one: an urgent batch is before what its tenant has queued, and nobody starves. */
const WEIGHTS = [4, 2, 1, 0.5, 0.25] as const;
/** The same of the batches of imports: an import takes what others leave. */
const IMPORT_WEIGHTS = [1, 0.5, 0.2, 0.1, 0.05] as const;
/** Longest fairness key, in bytes (a limit of Temporal). */
const MAX_KEY = 64;

/**
 * Where the tasks of a batch stand among others. Temporal dispatches those of different fairness keys alternately, by their weights: so those of a tenant
 * alternate with other tenants', and its small batches, its large ones, its imports and each of its priorities with each other.
 *
 * A priority key comes before all work of a lower one, whosever it is: it is only for the operator, as a tenant could keep all others
 * from running.
 * @param scope `platform/tenant`, escaped.
 * @param priority 1 to 5; absent: `DEFAULT_PRIORITY`.
 * @param isForAll the caller operates the installation.
 */
export function fairness({
  scope,
  total,
  ofImport,
  priority = ofImport?.priority ?? DEFAULT_PRIORITY,
  isForAll,
}: {
  readonly scope: string;
  readonly total: number;
  readonly ofImport?: { readonly priority: number };
  readonly priority?: number;
  readonly isForAll?: true;
}): { priorityKey?: number; fairnessKey: string; fairnessWeight?: number } {
  const kind = ofImport === undefined ? (total <= SMALL_BATCH ? 's' : 'l') : 'i';
  const level = priority === DEFAULT_PRIORITY ? '' : priority;
  const weight = (ofImport === undefined ? WEIGHTS : IMPORT_WEIGHTS)[priority - 1] ?? 1;
  return {
    ...(isForAll && priority !== DEFAULT_PRIORITY && { priorityKey: priority }),
    fairnessKey: fitting(`${kind}${level}/${scope}`),
    ...((weight !== 1 || ofImport !== undefined) && { fairnessWeight: weight }),
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
