import { isTerminal } from '../../domain/batch/batch.ts';
import { selfSupporting } from '../../domain/batch/self-supporting.ts';
import { appendTo } from '../../domain/collections/append-to.ts';
import { MAX_CYCLE_ITEMS, MAX_CYCLE_MISSING } from '../../domain/limits.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { type BatchDocument, readBatches } from '../../store/batches/batches.ts';
import { readLists } from '../../store/items/key-lists.ts';
import type { PendingMember } from '../../store/items/pending-documents.ts';
import { readPending, readPendingById } from '../../store/items/pending-items.ts';
import { KEYS_AT_ONCE, keyParts } from '../../store/mongodb/parts.ts';
import type { ActivityContext } from '../activity-context.ts';
import type { Waiting } from './waiting-item.ts';

interface Member extends PendingMember {
  readonly missing: readonly ResourceKey[];
}

type PresentOf = (keys: readonly ResourceKey[]) => Promise<Set<ResourceKey>>;

/**
 * Pending items of other batches that one check of a batch of an import follows: the import itself looks for cycles over its batches once, in the
 * end (`settleImport`), however many rows they have. A check follows some because that is earlier, and because other batches may be part of a cycle.
 */
const MOST_OF_OTHERS_WHILE_IMPORTING = 200;

/**
 * A cycle over batches of an import that this batch was chosen to apply. It may have changed since.
 * @returns its members, or none.
 */
export async function assignedCycle(
  { database }: ActivityContext,
  batch: BatchDocument,
  presentOf: PresentOf,
): Promise<PendingMember[]> {
  if (batch.cycle === undefined) return [];
  const [ids] = await readLists(database, [{ keys: [], list: batch.cycle }]);
  const found = await readPendingById(database, ids ?? []);
  const members = await withoutHalted(database, batch, found);
  const present = await presentOf([...new Set(members.flatMap(({ missing }) => missing))]);
  return [...selfSupporting(members, present)];
}

/**
 * Pending items, some of another batch, that together need no missing resource: a cycle whose members arrived in different
 * batches. Follows missing references from the given items of `batch`; members of a suspended batch are left out.
 * @returns the members that the given items need, or none.
 */
export async function findCycle(
  { database }: ActivityContext,
  batch: BatchDocument,
  rest: readonly Waiting[],
  presentOf: PresentOf,
): Promise<PendingMember[]> {
  const members = new Map<string, Member>();
  const { _id: batchId, run } = batch;
  const own = rest.map(({ key, index, missing }) => ({ key, batchId, index, run, missing }));
  for (const member of own) members.set(idOf(member), member);
  const present = new Set<ResourceKey>();
  const asked = new Set<ResourceKey>();
  let frontier = missedBy(own, asked);
  let missed = 0;
  const most = batch.waitsForImport ? own.length + MOST_OF_OTHERS_WHILE_IMPORTING : MAX_CYCLE_ITEMS;
  const hasRoom = (): boolean => members.size < most && missed < MAX_CYCLE_MISSING;
  while (frontier.length > 0 && hasRoom()) {
    for (const key of frontier) asked.add(key);
    const found: Member[] = [];
    for (const some of keyParts(frontier, KEYS_AT_ONCE)) {
      if (!hasRoom()) break;
      const there = await presentOf(some);
      for (const key of there) present.add(key);
      const absent = some.filter((key) => !there.has(key));
      for (const member of await readPending(database, absent, most)) {
        if (members.has(idOf(member))) continue;
        members.set(idOf(member), member);
        missed += member.missing.length;
        found.push(member);
      }
    }
    frontier = missedBy(found, asked);
  }
  if (members.size === own.length) return [];
  return neededMembers(own, await withoutHalted(database, batch, [...members.values()]), present);
}

const idOf = ({ batchId, index }: PendingMember): string => `${batchId}:${index}`;

function missedBy(members: readonly Member[], asked: ReadonlySet<ResourceKey>): ResourceKey[] {
  return [...new Set(members.flatMap((member) => member.missing))].filter((key) => !asked.has(key));
}

/** Members whose batches are at work: a suspended or cancelled batch applies nothing. */
async function withoutHalted(
  database: ActivityContext['database'],
  own: BatchDocument,
  members: readonly Member[],
): Promise<Member[]> {
  const others = [...new Set(members.map((member) => member.batchId))].filter((id) => id !== own._id);
  const batches = await readBatches(database, others);
  const going = new Set(
    batches
      .filter((batch) => !batch.suspended && !batch.cancelRequested && !batch.deletedAt && !isTerminal(batch.status))
      .map((batch) => batch._id),
  );
  return members.filter((member) => member.batchId === own._id || going.has(member.batchId));
}

/** The members of those that support each other that the own items need, directly or through others. */
function neededMembers(
  own: readonly Member[],
  members: readonly Member[],
  present: ReadonlySet<ResourceKey>,
): Member[] {
  const supported = selfSupporting(members, present);
  const providers = new Map<ResourceKey, Member[]>();
  for (const member of supported) {
    appendTo(providers, member.key, member);
  }
  const ownIds = new Set(own.map(idOf));
  const needed = new Set([...supported].filter((member) => ownIds.has(idOf(member))));
  // iterating over a set includes elements that are added meanwhile
  for (const member of needed) {
    for (const key of member.missing) for (const provider of providers.get(key) ?? []) needed.add(provider);
  }
  return [...needed];
}
