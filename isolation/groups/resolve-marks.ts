import { CLOCKS_DIFFER_MS } from '../../domain/clocks.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { finishedBatches } from '../../store/batches/batches.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { NO_PLACEHOLDER, resourcesIn } from '../../store/resources.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { MARKS, type MarkedDocument } from '../resources/visibility.ts';
import {
  makeVisible,
  removeMarkedForDeletion,
  removeUncommitted,
  unmarkForDeletion,
} from '../resources/write-resources.ts';
import { type CommitDocument, decideGroup, groupsIn } from './groups.ts';

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
  await resolveMarks(database, { isOfEarlierAttempt: () => false }, await markedResources(database, limit));
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

async function readDecisions(
  database: Database,
  groups: readonly string[],
): Promise<Map<string, CommitDocument['state']>> {
  const found = await groupsIn(database)
    .find({ _id: { $in: [...new Set(groups)] } })
    .toArray();
  return new Map(found.map((commit) => [commit._id, commit.state]));
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
