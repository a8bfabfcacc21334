import { CLOCKS_DIFFER_MS } from '../../domain/clocks.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { finishedBatches } from '../../store/batches/batches.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { NO_PLACEHOLDER, resourcesIn } from '../../store/resources.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { groupOf, MARKS, type MarkedDocument, readTargets } from '../resources/visibility.ts';
import {
  makeVisible,
  removeMarkedForDeletion,
  removeUncommitted,
  unmarkForDeletion,
} from '../resources/write-resources.ts';
import { type CommitDocument, decideGroup, readDecisions } from './groups.ts';

/** Who is no attempt of an activity has no earlier ones. */
const NO_ATTEMPT = { isOfEarlierAttempt: () => false };

/** Age at which an uncommitted resource is aborted, in ms: no attempt writes for so long. If it is too early, it costs an attempt. */
const UNCOMMITTED_FOR_AT_MOST_MS = 60_000 + CLOCKS_DIFFER_MS;

/**
 * Resolves resources that are uncommitted or marked for deletion, as far as their group is decided, and aborts groups
 * whose owner has died: so no resource stays undecided, whichever process dies.
 * @returns keys that are still undecided, and whether any document was changed (read them again).
 */
export async function resolveMarks(
  database: Database,
  attempt: Pick<Attempt, 'isOfEarlierAttempt'>,
  documents: readonly MarkedDocument[],
): Promise<{ undecided: Set<ResourceKey>; changed: boolean }> {
  const uncommitted = documents.filter((document) => document.hidden !== undefined);
  const marked = documents.filter((document) => document.hidden === undefined && document.leaving !== undefined);
  const undecided = new Set<ResourceKey>();
  if (uncommitted.length === 0 && marked.length === 0) return { undecided, changed: false };
  const decisions = await readDecisions(database, [
    ...uncommitted.flatMap((document) => document.hidden ?? []),
    ...marked.flatMap((document) => document.leaving?.group ?? []),
  ]);
  const dead = await finishedBatches(database, [
    ...new Set(marked.flatMap((document) => document.leaving?.batchId ?? [])),
  ]);
  let changed = false;
  for (const document of [...uncommitted, ...marked]) {
    const group = document.hidden ?? document.leaving?.group ?? '';
    let decision = decisions.get(group);
    if (decision === undefined && isAbandoned(document, attempt, dead)) {
      decision = (await decideGroup(database, group, 'aborted')).state;
      decisions.set(group, decision);
    }
    if (decision === undefined) undecided.add(document._id);
    else {
      await bringToEnd(database, document, group, decision);
      changed = true;
    }
  }
  return { undecided, changed };
}

/** Resolves some of the marked or uncommitted resources that no other process has met since: for recovery. */
export async function resolveSomeMarks(database: Database, limit: number): Promise<void> {
  await resolveMarks(database, NO_ATTEMPT, await markedResources(database, limit));
}

/** The same of these. */
export async function resolveMarksOf(database: Database, keys: readonly ResourceKey[]): Promise<void> {
  await resolveMarks(database, NO_ATTEMPT, [...(await readTargets(database, keys)).values()]);
}

/**
 * Of these, the ones whose mark no attempt will take back: their group is decided, or its owner has died. The mark of an attempt that is
 * still at work is left out.
 */
export async function leftMarks(database: Database, documents: readonly MarkedDocument[]): Promise<MarkedDocument[]> {
  const decisions = await readDecisions(
    database,
    documents.flatMap((document) => groupOf(document) ?? []),
  );
  const dead = await finishedBatches(database, [
    ...new Set(documents.flatMap(({ leaving }) => leaving?.batchId ?? [])),
  ]);
  return documents.filter(
    (document) => decisions.has(groupOf(document) ?? '') || isAbandoned(document, NO_ATTEMPT, dead),
  );
}

/** Few at any time, unless workers have died. */
async function markedResources(database: Database, limit: number): Promise<MarkedDocument[]> {
  const [uncommitted, marked] = await Promise.all([
    resourcesIn(database)
      .find({ hidden: { $exists: true, ...NO_PLACEHOLDER } }, { projection: MARKS, limit })
      .toArray(),
    resourcesIn(database)
      .find({ 'leaving.group': { $exists: true } }, { projection: MARKS, limit })
      .toArray(),
  ]);
  return [...uncommitted, ...marked.filter(({ hidden }) => hidden === undefined)];
}

function isAbandoned(
  document: MarkedDocument,
  attempt: Pick<Attempt, 'isOfEarlierAttempt'>,
  deadBatches: ReadonlySet<string>,
): boolean {
  if (document.hidden !== undefined) {
    const age = Date.now() - document.updatedAt.getTime();
    return attempt.isOfEarlierAttempt(document.hidden) || age > UNCOMMITTED_FOR_AT_MOST_MS;
  }
  return document.leaving !== undefined && deadBatches.has(document.leaving.batchId);
}

async function bringToEnd(
  database: Database,
  document: MarkedDocument,
  group: string,
  decision: CommitDocument['state'],
): Promise<void> {
  const committed = decision === 'committed';
  if (document.hidden !== undefined) {
    if (committed) await makeVisible(database, group, [document._id]);
    else await removeUncommitted(database, group, [document._id]);
  } else if (committed) await removeMarkedForDeletion(database, group, [document._id]);
  else await unmarkForDeletion(database, group, [document._id]);
}
