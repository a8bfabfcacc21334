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
    const { own, others } = await readBoth(database, ownKeys, otherKeys);
    const documents: MarkedDocument[] = [...own.stored.values(), ...others];
    const { undecided, changed } = await resolveMarks(database, attempt, documents);
    if (changed) continue;
    const present = new Set(documents.flatMap(({ _id }) => (undecided.has(_id) ? [] : [_id])));
    return { own: own.stored, fenced: own.fenced, present, undecided };
  }
}

interface FoundOwn {
  readonly stored: Map<ResourceKey, ResourceDocument>;
  readonly fenced: Map<ResourceKey, string>;
}

interface FoundBoth {
  readonly own: FoundOwn;
  readonly others: Iterable<MarkedDocument>;
}

/** Most references of which the whole resource is read, in one command with the own ones: their data costs less than a command. */
const FEW_TARGETS = 20;

async function readBoth(
  database: Database,
  ownKeys: readonly ResourceKey[],
  otherKeys: readonly ResourceKey[],
): Promise<FoundBoth> {
  if (ownKeys.length > 0 && otherKeys.length <= FEW_TARGETS) {
    const large = largeTargetsOf(database);
    if (!otherKeys.some((key) => large.has(key))) return readTogether(database, ownKeys, otherKeys);
  }
  const [own, others] = await Promise.all([readOwn(database, ownKeys), readTargets(database, otherKeys)]);
  return { own, others: others.values() };
}

/** Reads the resources to be written and their few targets by one command. */
async function readTogether(
  database: Database,
  ownKeys: readonly ResourceKey[],
  otherKeys: readonly ResourceKey[],
): Promise<FoundBoth> {
  const { stored, fenced } = await readOwn(database, [...ownKeys, ...otherKeys]);
  const others: MarkedDocument[] = [];
  for (const key of otherKeys) {
    const target = stored.get(key);
    // a placeholder is no target
    fenced.delete(key);
    stored.delete(key);
    if (target === undefined) continue;
    others.push(target);
    if ((target.bytes ?? LARGE_TARGET_BYTES) >= LARGE_TARGET_BYTES) largeTargetsOf(database).add(key);
  }
  return { own: { stored, fenced }, others };
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

/** Size of a target whose data is not read again for the sake of a command. */
const LARGE_TARGET_BYTES = 8 * 1024;
/** Large targets that a process remembers. */
const MOST_LARGE_TARGETS = 1_000;

/** Targets that were read whole and turned out to be large: what many resources refer to is read so once. */
class LargeTargets {
  readonly #keys = new Set<ResourceKey>();

  has(key: ResourceKey): boolean {
    return this.#keys.has(key);
  }

  add(key: ResourceKey): void {
    if (this.#keys.size >= MOST_LARGE_TARGETS) this.#keys.clear();
    this.#keys.add(key);
  }
}

const largeTargets = new WeakMap<Database, LargeTargets>();

function largeTargetsOf(database: Database): LargeTargets {
  const known = largeTargets.get(database) ?? new LargeTargets();
  largeTargets.set(database, known);
  return known;
}
