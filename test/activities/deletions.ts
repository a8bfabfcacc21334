import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { inject } from 'vitest';
import { type ActivityContext, type Checkpoint, createActivityContext } from '../../activities/activity-context.ts';
import { applyItems } from '../../activities/apply-items.ts';
import { deleteResources } from '../../activities/delete-resources.ts';
import { expireItems } from '../../activities/expire-items.ts';
import { finishBatch } from '../../activities/finish-batch.ts';
import { planBatch } from '../../activities/plan-batch.ts';
import type { BatchSummary, Instruction, ResourceBatch } from '../../domain/batch/batch.ts';
import { scopeKey } from '../../domain/batch/scope.ts';
import { resourceKey } from '../../domain/write/resource.ts';
import { groupsIn } from '../../isolation/groups/groups.ts';
import { intentsIn } from '../../isolation/intents/intents.ts';
import { visible } from '../../isolation/resources/visibility.ts';
import { MemoryAllowance } from '../../services/deletes/memory-allowance.ts';
import { type DeletionPreview, previewDeletion } from '../../services/deletes/preview-deletion.ts';
import { batchesIn, insertBatch } from '../../store/batches/batches.ts';
import { createSchemaDefinition } from '../../store/definitions/create-schema-definition.ts';
import { writeItemPages } from '../../store/items/item-pages.ts';
import { outcomeChunks, type StoredOutcome } from '../../store/items/outcomes.ts';
import { connectDatabase, type Database } from '../../store/mongodb/database.ts';
import { type ResourceDocument, resourcesIn } from '../../store/resources.ts';
import { BatchState } from '../../workflows/batch-state.ts';
import type { DeletionResult, ItemsOfBatch, Plan, StepOfBatch } from '../../workflows/messages.ts';

/** Schema definitions that refer to each other and to themselves. */
export const SCHEMAS = ['Leaf', 'Twig', 'Root'] as const;
type SchemaName = (typeof SCHEMAS)[number];

/** Resources as `Schema:id` -> the resources that they refer to. */
export type Forest = Record<string, readonly string[]>;

export interface DeleteRequest {
  readonly schema?: SchemaName;
  readonly ids: readonly string[];
  readonly cascade?: boolean;
  /** These ids are all that exist. */
  readonly deleteAll?: boolean;
}

interface CarryOutOptions {
  readonly from?: number;
  readonly beforeSteps?: (round: number, plan: Plan) => Promise<void>;
  readonly redeliver?: boolean;
}

/** The error of a process that is killed at a checkpoint. */
export class Killed extends Error {}

const PAGE_SIZE = 4;
const PLANNING_MEMORY_BYTES = 64 * 1024 * 1024;
/** Time limit of a step; long enough for a loaded machine. */
const ACTIVITY_MS = 20_000;
const client = {
  workflow: { getHandle: () => ({ signal: async () => undefined }) },
} as unknown as ActivityContext['client'];

/** Deletes (and uploads) as a workflow runs them, with the activities under the control of the test. */
export class Deletions {
  readonly database: Database;
  readonly scope = { platform: 'test', tenant: 'one' };
  readonly schemaIds = new Map<string, string>();
  atCheckpoint: ((at: Checkpoint, batchId: string) => Promise<void>) | undefined;
  readonly planningMemory: MemoryAllowance;
  readonly #context: ActivityContext;
  #activities = 0;

  private constructor(database: Database, planningMemoryBytes: number) {
    this.database = database;
    this.planningMemory = new MemoryAllowance(planningMemoryBytes);
    this.#context = createActivityContext({
      database,
      client,
      logger: pino({ level: 'silent' }),
      retentionDays: 0,
      planningMemory: this.planningMemory,
      taskQueue: 'none',
      activityTimeoutSeconds: ACTIVITY_MS / 1000,
      checkpoint: async (at, batchId) => this.atCheckpoint?.(at, batchId),
    });
  }

  static async start(planningMemoryBytes = PLANNING_MEMORY_BYTES): Promise<Deletions> {
    const name = `deletions-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
    const deletions = new Deletions(await connectDatabase(inject('mongodbUri'), name), planningMemoryBytes);
    const fields = Object.fromEntries(
      SCHEMAS.map((to) => [to, { type: 'array', items: { $ref: `reach:schemas/${to}` } }]),
    );
    for (const schema of SCHEMAS) {
      const definition = {
        name: schema,
        externalIdField: 'externalId',
        schema: { type: 'object', properties: { note: { type: 'string' }, ...fields } },
      };
      const made = await createSchemaDefinition(deletions.database, deletions.scope.platform, definition);
      if ('created' in made) deletions.schemaIds.set(schema, made.created.id);
    }
    return deletions;
  }

  async stop(): Promise<void> {
    await resourcesIn(this.database).db.dropDatabase();
    await this.database.close();
  }

  key(name: string): string {
    const [schema = '', id = ''] = name.split(':');
    return resourceKey(this.scope, this.schemaIds.get(schema) ?? '', id);
  }

  nameOf(key: string): string {
    const [, , schemaId = '', ...id] = key.split('/');
    const schema = [...this.schemaIds].find(([, one]) => one === schemaId)?.[0];
    return `${schema}:${id.join('/')}`;
  }

  /** Stores these resources, in place of those that were stored before. */
  async store(forest: Forest): Promise<void> {
    await resourcesIn(this.database).deleteMany({});
    await this.add(forest);
  }

  async add(forest: Forest): Promise<void> {
    const now = new Date();
    const documents = Object.entries(forest).map(([name, to]): ResourceDocument => {
      const [schema = '', externalId = ''] = name.split(':');
      return {
        _id: this.key(name),
        id: uuidv7(),
        scope: scopeKey(this.scope),
        schemaDefinitionId: this.schemaIds.get(schema) ?? '',
        externalId,
        data: { externalId },
        references: [...new Set(to.map((one) => this.key(one)))],
        version: 1,
        createdAt: now,
        updatedAt: now,
        writes: [],
      };
    });
    if (documents.length > 0) await resourcesIn(this.database).insertMany(documents);
  }

  /** Names of the resources that readers see, sorted. @throws if one of them refers to a resource that does not exist. */
  async seen(): Promise<string[]> {
    const documents = await visible(this.database, await resourcesIn(this.database).find({}).toArray());
    const keys = new Set(documents.map((document) => document._id));
    for (const { _id, references } of documents) {
      const dangling = references.filter((key) => !keys.has(key));
      if (dangling.length > 0)
        throw new Error(`${this.nameOf(_id)} refers to ${dangling.map((key) => this.nameOf(key))}`);
    }
    return [...keys].map((key) => this.nameOf(key)).sort();
  }

  /** Accepts a batch. @returns its id. */
  async accept(
    instruction: Instruction<ResourceBatch>,
    schema: string,
    items: readonly { externalId: string; body?: string }[],
  ): Promise<string> {
    const _id = uuidv7();
    await writeItemPages(this.database, { batchId: _id }, items, PAGE_SIZE);
    await insertBatch(this.database, {
      _id,
      ...instruction,
      schemaDefinitionId: this.schemaIds.get(schema) ?? '',
      schemaName: schema,
      total: items.length,
      pageSize: PAGE_SIZE,
      createdAt: new Date(),
      scope: this.scope,
    });
    return _id;
  }

  acceptDelete({ schema = 'Leaf', ids, cascade = false, deleteAll = false }: DeleteRequest): Promise<string> {
    return this.accept(
      { operation: 'delete', options: { cascade, deleteAll } },
      schema,
      ids.map((externalId) => ({ externalId })),
    );
  }

  acceptUpload(
    schema: SchemaName,
    resources: readonly Record<string, unknown>[],
    dependencyWaitTimeout = 0,
  ): Promise<string> {
    const items = resources.map((resource) => ({
      externalId: String(resource.externalId),
      body: JSON.stringify(resource),
    }));
    const options = { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout } as const;
    return this.accept({ operation: 'upload', options }, schema, items);
  }

  preview(
    { schema = 'Leaf', ids, cascade = false, deleteAll = false }: DeleteRequest,
    deadline?: number,
  ): Promise<DeletionPreview> {
    const definition = { id: this.schemaIds.get(schema) ?? '' };
    return previewDeletion(
      this.#context,
      this.scope,
      definition,
      { externalIds: deleteAll ? [] : ids, cascade, deleteAll },
      deadline,
    );
  }

  plan(batchId: string, cursor = 0, attempt = 1, since?: number, runId?: string): Promise<Plan | null> {
    return this.#run(planBatch, { batchId, run: 1, cursor }, attempt, undefined, since, runId);
  }

  /** One attempt of an activity for a step. @param since when it was scheduled; absent: later than all others. */
  attemptStep(batchId: string, step: number, since?: number, runId?: string): Promise<DeletionResult> {
    const input: StepOfBatch = { batchId, run: 1, step };
    return this.#run(deleteResources, input, 1, `step-${step}`, since, runId);
  }

  /** Runs a step as a worker does: again while it is blocked. */
  async step(batchId: string, step: number, attempt = 1): Promise<DeletionResult> {
    const input: StepOfBatch = { batchId, run: 1, step };
    for (let again = attempt; ; again++) {
      try {
        return await this.#run(deleteResources, input, again);
      } catch (error) {
        if (!isBlocked(error) || again > attempt + 50) throw error;
      }
    }
  }

  /** @param since when the attempt was scheduled; absent: later than all others. */
  apply(input: Omit<ItemsOfBatch, 'run'>, attempt = 1, since?: number, runId?: string): ReturnType<typeof applyItems> {
    return this.#run(applyItems, { ...input, run: 1 }, attempt, `apply-${input.batchId}`, since, runId);
  }

  /** Expires pending items, whatever their deadline. */
  expire(batchId: string, indexes: readonly number[]): ReturnType<typeof expireItems> {
    return this.#run(expireItems, { batchId, run: 1, indexes, asOf: Number.MAX_SAFE_INTEGER }, 1);
  }

  /** Ends a run whose workflow has no record of cascaded deletions. */
  finish(batchId: string, cancelled = false, since?: number, runId?: string): Promise<BatchSummary> {
    const input = { batchId, run: 1, cancelled, cascaded: 0 };
    return this.#run(finishBatch, input, 1, undefined, since, runId);
  }

  /**
   * Runs a whole delete.
   * @param from the first round.
   * @param beforeSteps awaited between each planning and its steps.
   * @param redeliver repeats each step after it is done, as if its completion had been lost.
   * @returns the counts of the workflow, and those of finishing, without a count of cascaded deletions from the workflow.
   */
  async runDelete(
    batchId: string,
    { from = 0, beforeSteps, redeliver = false }: CarryOutOptions = {},
  ): Promise<{ counted: BatchSummary; summary: BatchSummary }> {
    const batch = await batchesIn(this.database).findOne({ _id: batchId });
    const state = new BatchState({ total: batch?.total ?? 0 });
    for (let cursor: number | undefined = from; cursor !== undefined; ) {
      const plan: Plan | null = await this.plan(batchId, cursor);
      if (plan === null) break;
      state.add(plan.tally);
      await beforeSteps?.(cursor, plan);
      for (const stage of plan.stages) {
        await Promise.all(
          stage.map(async (work) => {
            if (work.kind !== 'step') throw new Error('a delete has steps only');
            let result = await this.step(batchId, work.step);
            if (redeliver) result = await this.step(batchId, work.step, 2);
            state.add(result.tally, result.pending, result.cascaded);
          }),
        );
      }
      cursor = plan.next;
    }
    const counted = state.summary();
    return { counted, summary: await this.finish(batchId) };
  }

  async outcomes(batchId: string): Promise<StoredOutcome[]> {
    const batch = await batchesIn(this.database).findOne({ _id: batchId });
    if (batch === null) throw new Error('no such batch');
    const all = new Map<number, StoredOutcome>();
    for await (const { outcomes } of outcomeChunks(this.database, batch))
      for (const [index, one] of outcomes) all.set(index, one);
    return Array.from({ length: batch.total }, (_, index) => all.get(index) ?? { status: 'queued', attempts: 0 });
  }

  /** Outcomes in short: `deleted`, `not_found`, `referenced`, …, with `again` for a repeat. */
  async results(batchId: string): Promise<string[]> {
    const outcomes = await this.outcomes(batchId);
    return outcomes.map(
      ({ status, action, errors, repeat }) => `${action ?? errors?.[0]?.code ?? status}${repeat ? ' again' : ''}`,
    );
  }

  /** The number of documents of plans, commits and marks that are left. */
  async leftovers(): Promise<number> {
    const { database } = this;
    const counts = await Promise.all([
      resourcesIn(database).db.collection('deletion_steps').countDocuments({}),
      groupsIn(database).countDocuments({}),
      resourcesIn(database).countDocuments({ leaving: { $exists: true } }),
      intentsIn(database).countDocuments({}),
    ]);
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #run<I extends { readonly batchId: string }, R>(
    activity: (context: ActivityContext, input: I) => Promise<R>,
    input: I,
    attempt: number,
    activityId?: string,
    since?: number,
    runId = 'first',
  ): Promise<R> {
    this.#activities += 1;
    const scheduled = since ?? this.#activities;
    const info = {
      activityId: activityId ?? `activity-${this.#activities}`,
      attempt,
      scheduledTimestampMs: attempt === 1 ? scheduled : 0,
      currentAttemptScheduledTimestampMs: scheduled,
      workflowExecution: { workflowId: `batch-${input.batchId}`, runId },
      startToCloseTimeoutMs: ACTIVITY_MS,
    };
    const environment = new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
    return environment.run(() => activity(this.#context, input));
  }
}

export function isBlocked(error: unknown): boolean {
  return error instanceof Error && 'type' in error && error.type === 'Blocked';
}
