import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancellationSignal, heartbeat } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { ItemError } from '../domain/batch/outcome.ts';
import { forEachConcurrently } from '../domain/collections/for-each-concurrently.ts';
import { blocksOf, countBlocks, seedOf } from '../domain/executions/job-counts.ts';
import { reachCondition } from '../domain/executions/process-instance-condition.ts';
import { holds } from '../domain/executions/visibility-condition.ts';
import { MAX_FACADE_STORED_REASON } from '../domain/limits.ts';
import { wasEndedBy } from '../services/executions/execution-history.ts';
import { type DescribedExecution, describeExecution, isRunId } from '../services/executions/executions.ts';
import { findExecution } from '../services/executions/list-executions.ts';
import { isOwnOfDrover } from '../services/executions/own-executions.ts';
import { CLOCK_SKEW_MS, wasThere } from '../services/executions/select-executions.ts';
import { readBatch } from '../store/batches/batches.ts';
import { recordFailedItems, recordJobs } from '../store/batches/termination-jobs.ts';
import { isTermination, type Termination } from '../store/batches/terminations.ts';
import { type Item, readItems } from '../store/items/item-pages.ts';
import { readOutcomes, type StoredOutcome } from '../store/items/outcomes.ts';
import { writeOutcomes } from '../store/items/write-outcomes.ts';
import type { Database } from '../store/mongodb/database.ts';
import { batchWorkflowId, type ItemsOfBatch, type WorkResult } from '../workflows/messages.ts';
import type { ActivityContext } from './activity-context.ts';
import { ControlCheck } from './control/control-check.ts';
import { toWorkResult } from './finish/work-result.ts';
import { CoalescedWrites } from './terminate/coalesced-writes.ts';
import { doomedChildren, type EndingRules, endTree } from './terminate/end-tree.ts';

/** Number of items of one activity that are ended at a time. */
const ITEMS_AT_ONCE = 20;

const HEARTBEAT_MS = 2_000;

/** How long visibility may take to list a run, in ms: an id that may be a run id is looked up until then. */
const VISIBILITY_DELAY_MS = 2_000;
const LOOK_AGAIN_MS = 250;

/**
 * Ends the executions of some items, with their children. Safe to repeat: the execution that an item is about to end is noted on the item first,
 * so an execution that an earlier attempt ended is found `succeeded`, never `not_found` (invariant 2).
 */
export async function terminateExecutions(context: ActivityContext, input: ItemsOfBatch): Promise<WorkResult> {
  const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
  try {
    return await carryOut(context, input);
  } finally {
    clearInterval(beat);
  }
}

async function carryOut({ database, client, checkpoint }: ActivityContext, input: ItemsOfBatch): Promise<WorkResult> {
  const control = new ControlCheck(database, input);
  const batch = await readBatch(database, input.batchId);
  control.asRead(batch);
  if (batch === null || batch.run !== input.run || !isTermination(batch)) return toWorkResult([], new Map());
  const outcomes = await readOutcomes(database, batch, input.indexes);
  const open = input.indexes.filter((index) => (outcomes.get(index)?.status ?? 'queued') === 'queued');
  const notes = new CoalescedWrites<number, StoredOutcome>((outcomes) => writeOutcomes(database, batch, outcomes));
  const ending = new Ending(client, batch, async (index, outcome) => {
    await notes.write(index, outcome);
    await checkpoint?.('target-stored', batch._id);
  });
  const settled = new Map<number, StoredOutcome>();
  const left = new Set<number>();
  await forEachConcurrently(await readItems(database, batch, open), ITEMS_AT_ONCE, async (item) => {
    const before = outcomes.get(item.index);
    // an execution that an earlier attempt has begun to end is ended
    if (before?.target === undefined && (await control.inTime()) !== null) left.add(item.index);
    else settled.set(item.index, await ending.end(item, before));
  });
  await checkpoint?.('deleted', batch._id);
  await writeOutcomes(database, batch, settled);
  // after the outcomes, which a repeated attempt reads: both are stored before the activity is done
  const now = await noteJobs(database, batch, input.indexes);
  await checkpoint?.('outcomes-stored', batch._id);
  if ([...now.values()].some(({ status }) => status === 'failed')) await recordFailedItems(database, batch);
  const kept = control.isGone ? [] : [...left];
  const done = toWorkResult(
    input.indexes.filter((index) => !kept.includes(index)),
    now,
  );
  return kept.length > 0 ? { ...done, left: kept } : done;
}

/** Notes the counts of these items' jobs on the batch. @returns the outcomes of the items. */
async function noteJobs(
  database: Database,
  batch: Termination,
  indexes: readonly number[],
): Promise<Map<number, StoredOutcome>> {
  const seed = seedOf(batch, indexes[0] ?? 0);
  const blocks = blocksOf(batch, seed, indexes);
  const counted = blocks.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, offset) => from + offset));
  const outcomes = await readOutcomes(database, batch, counted);
  await recordJobs(
    database,
    batch,
    seed,
    countBlocks(batch, blocks, (index) => outcomes.get(index)?.status),
  );
  const asked = new Set(indexes);
  return new Map([...outcomes].filter(([index]) => asked.has(index)));
}

/** Aborted when the activity has to stop; every wait of every item listens to it. */
function activitySignal(): AbortSignal {
  const signal = cancellationSignal();
  setMaxListeners(0, signal);
  return signal;
}

/** How one batch ends executions. */
class Ending {
  readonly #client: Client;
  readonly #batch: Termination;
  readonly #note: (index: number, outcome: StoredOutcome) => Promise<void>;
  readonly #rules: EndingRules;

  constructor(client: Client, batch: Termination, note: (index: number, outcome: StoredOutcome) => Promise<void>) {
    this.#client = client;
    this.#batch = batch;
    this.#note = note;
    this.#rules = {
      batchId: batch._id,
      reason: batch.options.deleteReason ?? '',
      atOnce: batch.options.skipCustomListeners,
      graceMs: batch.options.terminationGraceSeconds * 1000,
      sparesChildren: batch.options.skipSubprocesses,
      signal: activitySignal(),
    };
  }

  /** @returns the terminal outcome of an item. */
  async end(item: Item, before: StoredOutcome | undefined): Promise<StoredOutcome> {
    const attempts = (before?.attempts ?? 0) + 1;
    const succeeded: StoredOutcome = { status: 'succeeded', action: 'deleted', attempts };
    const failed = (error: ItemError): StoredOutcome => ({ status: 'failed', errors: [error], attempts });
    const { deleteReason = '', failIfNotExists, skipSubprocesses } = this.#batch.options;
    const noted = before?.target;
    if (noted !== undefined) {
      await this.#continue(noted);
      return succeeded;
    }
    const execution = await this.#find(item.externalId ?? '');
    if (execution === null || !(await this.#isMeant(execution)))
      return this.#notThere(failIfNotExists, attempts, 'does not exist');
    if (execution.closeTime !== null) {
      const requested = Date.parse(this.#batch.options.requestedAt) - CLOCK_SKEW_MS;
      const isOurs = await wasEndedBy(this.#client, this.#batch._id, execution, requested);
      return isOurs ? succeeded : this.#notThere(failIfNotExists, attempts, 'has ended already');
    }
    if (deleteReason.length > MAX_FACADE_STORED_REASON) {
      return failed({
        code: 'validation',
        message: `deleteReason is longer than ${MAX_FACADE_STORED_REASON} characters`,
      });
    }
    const doomed = skipSubprocesses ? doomedChildren(execution) : [];
    if (doomed.length > 0) {
      const message = `its children cannot continue: their parent close policy ends them with it (${doomed.slice(0, 3).join(', ')})`;
      return failed({ code: 'conflict', message });
    }
    const { workflowId, runId, firstRunId } = execution;
    await this.#note(item.index, {
      status: 'queued',
      attempts: attempts - 1,
      target: { workflowId, runId, firstRunId },
    });
    await endTree(this.#client, this.#rules, execution);
    return succeeded;
  }

  /** Continues the work of an earlier attempt. The id may belong to another execution by now, which must not be ended. */
  async #continue(noted: NonNullable<StoredOutcome['target']>): Promise<void> {
    const latest = await describeExecution(this.#client, noted.workflowId);
    if (latest?.closeTime === null && latest.firstRunId === noted.firstRunId)
      await endTree(this.#client, this.#rules, latest);
  }

  async #find(id: string): Promise<DescribedExecution | null> {
    const until = this.#batch.createdAt.getTime() + VISIBILITY_DELAY_MS;
    for (;;) {
      const found = await findExecution(this.#client, id);
      if (found !== null || !isRunId(id) || Date.now() > until) return found;
      await sleep(LOOK_AGAIN_MS);
    }
  }

  /** Whether the batch may end an execution, and whether it existed when the request arrived. */
  async #isMeant(execution: DescribedExecution): Promise<boolean> {
    const { options } = this.#batch;
    const reach = reachCondition(options.reach === 'tenant' ? this.#batch : null);
    if (!holds(reach, execution) || isOwnOfDrover(execution)) return false;
    if (execution.workflowId === batchWorkflowId(this.#batch._id)) return false;
    return wasThere(this.#client, execution, new Date(options.requestedAt));
  }

  #notThere(isFault: boolean, attempts: number, what: string): StoredOutcome {
    const errors: ItemError[] = [{ code: 'not_found', message: `the process instance ${what}` }];
    return { status: isFault ? 'failed' : 'skipped', errors, attempts };
  }
}
