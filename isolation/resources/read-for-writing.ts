import type { ResourceKey } from '../../domain/write/resource.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { PLACEHOLDER, type ResourceDocument, readResources, resourcesIn } from '../../store/resources.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { resolveMarks } from '../groups/resolve-marks.ts';
import { MARKS, type MarkedDocument, readTargets } from './visibility.ts';

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
    const { own, others } = await readBoth(database, ownKeys, otherKeys);
    const documents: MarkedDocument[] = [...own.stored.values(), ...others];
    const { undecided, changed } = await resolveMarks(database, attempt, documents);
    if (changed) continue;
    const present = new Set(documents.flatMap(({ _id }) => (undecided.has(_id) ? [] : [_id])));
    return { own: own.stored, fenced: own.fenced, present, undecided };
  }
}

interface FoundOwn {
  readonly stored: ReadonlyMap<ResourceKey, ResourceDocument>;
  readonly fenced: ReadonlyMap<ResourceKey, string>;
}

interface FoundBoth {
  readonly own: FoundOwn;
  readonly others: Iterable<MarkedDocument>;
}

/** Most keys, own ones and others, of which it is read first which of them there are. */
const FEW_KEYS = 100;

/**
 * Of few keys the marks are read by one command, which has no data of any resource: a target is never read whole, and most own resources are new.
 * Those that are there are read whole after that; whatever has changed between the two reads, the writes find out (`insertResources`, `updateResources`).
 */
async function readBoth(
  database: Database,
  ownKeys: readonly ResourceKey[],
  otherKeys: readonly ResourceKey[],
): Promise<FoundBoth> {
  if (ownKeys.length + otherKeys.length > FEW_KEYS) {
    const [own, others] = await Promise.all([readOwn(database, ownKeys), readTargets(database, otherKeys)]);
    return { own, others: others.values() };
  }
  const marked = await readMarked(database, [...ownKeys, ...otherKeys]);
  const found = (keys: readonly ResourceKey[]) => keys.flatMap((key) => marked.get(key) ?? []);
  const own = await readOwn(
    database,
    found(ownKeys).flatMap(({ _id, hidden }) => (hidden === PLACEHOLDER ? [] : [_id])),
  );
  const fenced = found(ownKeys).filter(({ hidden }) => hidden === PLACEHOLDER);
  return {
    own: {
      ...own,
      fenced: new Map([...fenced.map(({ _id, fence }) => [_id, fence?.token ?? ''] as const), ...own.fenced]),
    },
    others: found(otherKeys).filter(({ hidden }) => hidden !== PLACEHOLDER),
  };
}

/** Resources without their data, and placeholders. */
async function readMarked(
  database: Database,
  keys: readonly ResourceKey[],
): Promise<ReadonlyMap<ResourceKey, MarkedDocument & Pick<ResourceDocument, 'fence'>>> {
  const found = await resourcesIn(database)
    .find({ _id: { $in: [...keys] } }, { projection: { ...MARKS, fence: 1 } })
    .toArray();
  return new Map(found.map((document) => [document._id, document]));
}

async function readOwn(database: Database, keys: readonly ResourceKey[]): Promise<FoundOwn> {
  const stored = new Map<ResourceKey, ResourceDocument>();
  const fenced = new Map<ResourceKey, string>();
  if (keys.length === 0) return { stored, fenced };
  for await (const document of readResources(database, { _id: { $in: [...keys] } })) {
    if (document.hidden === PLACEHOLDER) fenced.set(document._id, document.fence?.token ?? '');
    else stored.set(document._id, document);
  }
  return { stored, fenced };
}
