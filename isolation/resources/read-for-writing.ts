import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { PLACEHOLDER, type ResourceDocument, readResources } from '../../store/resources.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { resolveMarks } from '../groups/resolve-marks.ts';
import { type MarkedDocument, readTargets } from './visibility.ts';

/** The stored resources of the keys that a writer writes, and of those that it refers to. */
export interface FoundForWriting {
  readonly own: ReadonlyMap<ResourceKey, ResourceDocument>;
  /** Keys whose resource readers see and that no batch is deleting. */
  readonly present: ReadonlySet<ResourceKey>;
  /** Keys of its own that a placeholder holds -> its fence. */
  readonly fenced: ReadonlyMap<ResourceKey, string>;
  /** Keys that another batch is creating or deleting right now. */
  readonly undecided: ReadonlySet<ResourceKey>;
}

/**
 * Reads the data on which a writer decides, once its intent is laid (invariant 3). Resources that are marked for deletion or uncommitted are
 * resolved first, as far as their group is decided, and then read again.
 * @param targetKeys the references of the items; those among `ownKeys` are read as own ones.
 */
export async function readForWriting(
  database: Database,
  attempt: Pick<Attempt, 'isOfEarlierAttempt'>,
  ownKeys: readonly ResourceKey[],
  targetKeys: Iterable<ResourceKey>,
): Promise<FoundForWriting> {
  const known = new Set(ownKeys);
  const otherKeys = [...targetKeys].filter((key) => !known.has(key));
  for (;;) {
    const [own, others] = await Promise.all([readOwn(database, ownKeys), readTargets(database, otherKeys)]);
    const documents: MarkedDocument[] = [...own.stored.values(), ...others.values()];
    const { undecided, changed } = await resolveMarks(database, attempt, documents);
    if (changed) continue;
    const present = new Set(documents.flatMap(({ _id }) => (undecided.has(_id) ? [] : [_id])));
    return { own: own.stored, fenced: own.fenced, present, undecided };
  }
}

async function readOwn(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<{ stored: Map<ResourceKey, ResourceDocument>; fenced: Map<ResourceKey, string> }> {
  const stored = new Map<ResourceKey, ResourceDocument>();
  const fenced = new Map<ResourceKey, string>();
  if (keys.length === 0) return { stored, fenced };
  for await (const document of readResources(database, { _id: { $in: [...keys] } })) {
    if (document.hidden === PLACEHOLDER) fenced.set(document._id, document.fence?.token ?? '');
    else stored.set(document._id, document);
  }
  return { stored, fenced };
}
