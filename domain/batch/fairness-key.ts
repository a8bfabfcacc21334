/** Batches up to this size do not wait behind the larger ones of their tenant. */
const SMALL_BATCH = 100;
/** Weights of the batches of imports by priority, 1 to 5; any other batch has weight 1: an import takes what others leave. */
const IMPORT_WEIGHTS = [1, 0.5, 0.2, 0.1, 0.05] as const;
/** Longest fairness key, in bytes (a limit of Temporal). */
const MAX_KEY = 64;

/**
 * The fairness key of a batch's tasks: Temporal dispatches the tasks of different keys alternately, so those of a tenant alternate with other tenants',
 * and those of its small batches with those of its large ones. All have one priority: a higher one would precede all others' work.
 * @param scope `platform/tenant`, escaped.
 */
export function fairness({
  scope,
  total,
  ofImport,
}: {
  readonly scope: string;
  readonly total: number;
  readonly ofImport?: { readonly priority: number };
}): { fairnessKey: string; fairnessWeight?: number } {
  if (ofImport === undefined) return { fairnessKey: fitting(`${total <= SMALL_BATCH ? 's' : 'l'}/${scope}`) };
  const { priority } = ofImport;
  const weight = IMPORT_WEIGHTS[priority - 1] ?? IMPORT_WEIGHTS[2];
  return { fairnessKey: fitting(`i${priority}/${scope}`), fairnessWeight: weight };
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
