import { type BatchResult, isTerminal, type TerminalStatus, terminalStatus } from '../../domain/batch/batch.ts';
import { isOpen } from '../../domain/batch/outcome.ts';
import { addTally, tallyOf } from '../../domain/batch/tally.ts';
import { nothing } from '../../domain/imports/sum.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { recordClaims, recordCountedAnew } from '../../store/batches/run-state.ts';
import { scanBatches } from '../../store/batches/scan-batches.ts';
import { pageIds, storedPages } from '../../store/items/item-pages.ts';
import { outcomeChunks } from '../../store/items/outcomes.ts';
import { claimedBy, unclaimPending } from '../../store/items/pending-items.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { openBatchIds } from '../batches/open-batches.ts';
import { latestExecution } from '../batches/start-batch.ts';
import { countEndedAnew } from '../imports/count-ended-anew.ts';
import { type Check, checkOf, type IntegrityParts, idsOf, type Suspicion, some } from './check.ts';

/** How much later than it was due recovery should have started a batch, or removed a deleted one, in ms. */
const START_OVERDUE_MS = 10 * 60 * 1000;
const REMOVAL_OVERDUE_MS = 60 * 60 * 1000;

/** Items, outcomes and counts (invariant 1), and workflows of batches that are not over. */
export function checkBatches(parts: IntegrityParts): Check {
  const { database } = parts;
  const scan = scanBatches(database);
  return checkOf(scan, (page) => suspicionsIn(parts, page), {
    'counts differ': async (found) => {
      for await (const page of scan.again(idsOf(found))) for (const batch of page) await countAnew(parts, batch);
    },
    'left claims': async (found) => {
      for await (const page of scan.again(idsOf(found))) {
        for (const batch of page.filter(({ status }) => isTerminal(status))) {
          await unclaimPending(database, batch, await claimedBy(database, batch));
          await recordClaims(database, batch, new Set());
        }
      }
    },
  });
}

async function suspicionsIn(parts: IntegrityParts, page: readonly BatchDocument[]): Promise<Suspicion[]> {
  const kept = page.filter(({ deletedAt }) => deletedAt === undefined);
  const found: Suspicion[] = [...page.flatMap(overdue), ...(await withoutWorkflow(parts, kept))];
  for (const batch of kept) {
    found.push(...leftClaims(batch), ...(await lostItems(parts.database, batch)));
    if (isTerminal(batch.status)) found.push(...(await endFaults(parts.database, batch)));
  }
  return found;
}

const stateOf = ({ run, status, completedAt }: BatchDocument): string =>
  `${run}:${status}:${completedAt?.getTime() ?? ''}`;

/** A batch that is over applies no items of others. */
function leftClaims(batch: BatchDocument): Suspicion[] {
  if (!isTerminal(batch.status) || batch.claimOwners === undefined) return [];
  return [{ kind: 'left claims', id: batch._id, state: stateOf(batch), detail: `of ${some(batch.claimOwners)}` }];
}

/** What recovery does within a minute, unless no worker runs, or a server refuses it. */
function overdue(batch: BatchDocument): Suspicion[] {
  const { _id: id, deletedAt, unstarted, startDue, startFailures = 0 } = batch;
  const [since, due] = [deletedAt?.getTime(), startDue?.getTime() ?? 0];
  if (since !== undefined && Date.now() - since > REMOVAL_OVERDUE_MS)
    return [{ kind: 'not removed', id, state: String(since), detail: `deleted at ${deletedAt?.toISOString()}` }];
  if (since !== undefined || !unstarted || Date.now() - due - startFailures * START_OVERDUE_MS < START_OVERDUE_MS)
    return [];
  const detail = `it was due at ${startDue?.toISOString()}, and has been tried ${startFailures} times`;
  return [{ kind: 'not started', id, state: `${batch.run}:${due}`, detail }];
}

/** Batches that are not over, and that no execution runs: recovery starts or finishes them. */
async function withoutWorkflow(
  { client, taskQueue }: IntegrityParts,
  batches: readonly BatchDocument[],
): Promise<Suspicion[]> {
  const running = batches.filter(({ status, unstarted }) => !isTerminal(status) && !unstarted);
  if (running.length === 0) return [];
  const open = await openBatchIds(
    client,
    taskQueue,
    running.map(({ _id }) => _id),
  );
  const found: Suspicion[] = [];
  for (const batch of running) {
    if (open.has(batch._id)) continue;
    // the list of executions is seconds behind: the execution itself is not
    const execution = await latestExecution(client, batch._id);
    if (execution?.isOpen) continue;
    const detail = execution === null ? 'Temporal knows none' : 'its execution is closed';
    found.push({ kind: 'no workflow', id: batch._id, state: String(batch.run), detail });
  }
  return found;
}

/** The pages of items are stored before the batch, and removed after it is deleted. */
async function lostItems(database: Database, batch: BatchDocument): Promise<Suspicion[]> {
  const ids = pageIds(batch._id, batch.total, batch.pageSize);
  const stored = await storedPages(database, ids);
  const lost = ids.filter((id) => !stored.has(id));
  if (lost.length === 0) return [];
  return [{ kind: 'items lost', id: batch._id, state: String(batch.run), detail: `no pages ${some(lost)}` }];
}

async function endFaults(database: Database, batch: BatchDocument): Promise<Suspicion[]> {
  const { _id: id, status } = batch;
  const { result, open } = await counted(database, batch);
  const state = stateOf(batch);
  if (open.length > 0)
    return [{ kind: 'item without outcome', id, state, detail: `it is ${status}, with items ${some(open)}` }];
  const differences = differencesOf(batch, result);
  if (differences.length === 0) return [];
  return [{ kind: 'counts differ', id, state, detail: some(differences) }];
}

interface Counted {
  readonly result: BatchResult;
  /** Items without a terminal outcome. */
  readonly open: readonly string[];
}

/** The outcomes of a batch as numbers. Resources that a cascade has deleted are no items: their number is the batch's own. */
async function counted(database: Database, batch: BatchDocument): Promise<Counted> {
  const { result } = nothing();
  const open: string[] = [];
  let items = 0;
  for await (const { outcomes } of outcomeChunks(database, batch)) {
    items += outcomes.size;
    for (const [index, { status }] of outcomes) if (isOpen(status)) open.push(`${index} ${status}`);
    addTally(result, tallyOf(outcomes.values()));
  }
  if (items < batch.total) open.push(`${batch.total - items} queued`);
  result.actions.cascaded = batch.cascaded;
  return { result, open };
}

function differencesOf({ status, result: noted }: BatchDocument, result: BatchResult): string[] {
  const ofOutcomes = terminalStatus(result.counts, status === 'cancelled');
  return [
    ...(ofOutcomes === status ? [] : [`it is ${status}, by its outcomes ${ofOutcomes}`]),
    ...differing(noted?.counts, result.counts),
    ...differing(noted?.actions, result.actions),
    ...differing(noted?.errorCodes, result.errorCodes),
  ];
}

/** Numbers that differ; none is 0. */
export function differing(
  noted: Readonly<Record<string, number>> = {},
  found: Readonly<Record<string, number>>,
): string[] {
  return [...new Set([...Object.keys(noted), ...Object.keys(found)])].flatMap((name) => {
    const [one, other] = [noted[name] ?? 0, found[name] ?? 0];
    return one === other ? [] : [`${name} ${one}, by its outcomes ${other}`];
  });
}

async function countAnew(parts: IntegrityParts, batch: BatchDocument): Promise<void> {
  const { database } = parts;
  if (!isTerminal(batch.status) || batch.deletedAt !== undefined) return;
  const { result, open } = await counted(database, batch);
  if (open.length > 0) return;
  const status: TerminalStatus = terminalStatus(result.counts, batch.status === 'cancelled');
  await recordCountedAnew(database, batch, status, result);
  if (batch.importId !== undefined) await countEndedAnew(parts, batch.importId);
}
