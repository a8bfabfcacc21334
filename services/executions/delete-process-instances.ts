import type { Scope } from '../../domain/batch/scope.ts';
import type { DeletionRequest } from '../../domain/delete/deletion-request.ts';
import { invalidRequest } from '../../domain/executions/camunda-fault.ts';
import { MAX_FACADE_SELECTION_MS } from '../../domain/limits.ts';
import type { BatchDocument } from '../../store/batches/batches.ts';
import { EXECUTIONS_PER_PAGE, type NewItem } from '../../store/items/item-pages.ts';
import { type AcceptParts, acceptBatch } from '../batches/accept-batch.ts';
import { type Reach, selectedAt, selectRunning } from './select-executions.ts';

/** Pages that are written in one command. */
const PAGES_AT_ONCE = 10;

/** How terminations run, from the configuration. */
interface DeletionSettings {
  readonly invocationsPerBatchJob: number;
  readonly batchJobsPerSeed: number;
  readonly terminationGraceSeconds: number;
}

/**
 * Accepts a deletion of process instances as a batch: one item for each distinct id of those given and those that the query
 * selects now. The query's answer is written away as it streams in, so memory does not grow with it (see `selectedAt`).
 * @param scope the owner of the batch. @param reach the executions that it may end.
 * @throws CamundaFault if nothing is selected, or more than can be accepted, or if the query cannot be translated.
 */
export async function deleteProcessInstances(
  parts: AcceptParts,
  scope: Scope,
  reach: Reach,
  request: DeletionRequest,
  settings: DeletionSettings,
  createdBy?: string,
): Promise<BatchDocument> {
  const requestedAt = new Date();
  const pages = inTime(requestedAt, inPages(await selectIds(parts, reach, request, requestedAt)));
  const first = await pages.next();
  if (first.done) throw invalidRequest('processInstanceIds is empty');
  return acceptBatch(parts, {
    scope,
    operation: 'terminate',
    options: {
      ...(request.deleteReason !== null && { deleteReason: request.deleteReason }),
      skipCustomListeners: request.skipCustomListeners,
      skipSubprocesses: request.skipSubprocesses,
      failIfNotExists: request.failIfNotExists,
      ...settings,
      reach: reach === null ? 'namespace' : 'tenant',
      requestedAt: requestedAt.toISOString(),
    },
    ...(createdBy !== undefined && { createdBy }),
    pageSize: EXECUTIONS_PER_PAGE,
    pages: startingWith(first.value, pages),
  });
}

/** Distinct ids: the given ones, then those of the executions that the query selects and that no given id names. */
async function selectIds(
  parts: AcceptParts,
  reach: Reach,
  request: DeletionRequest,
  requestedAt: Date,
): Promise<AsyncIterable<string>> {
  const given = new Set(request.processInstanceIds);
  const condition = request.filter && (await selectRunning(parts.client, reach, request.filter));
  return (async function* () {
    yield* given;
    if (condition === null) return;
    for await (const page of selectedAt(parts.client, condition, requestedAt)) {
      for (const { workflowId, runId } of page) if (!given.has(workflowId) && !given.has(runId)) yield workflowId;
    }
  })();
}

/** Sequences of full pages, because the numbers of pages follow from their size. */
async function* inPages(ids: AsyncIterable<string>): AsyncGenerator<readonly NewItem[], void> {
  let items: NewItem[] = [];
  for await (const externalId of ids) {
    items.push({ externalId });
    if (items.length < PAGES_AT_ONCE * EXECUTIONS_PER_PAGE) continue;
    yield items;
    items = [];
  }
  if (items.length > 0) yield items;
}

async function* inTime<T>(since: Date, pages: AsyncIterable<T>): AsyncGenerator<T, void> {
  for await (const page of pages) {
    if (Date.now() > since.getTime() + MAX_FACADE_SELECTION_MS) {
      const minutes = MAX_FACADE_SELECTION_MS / 60_000;
      throw invalidRequest(`the query selects more than can be accepted in ${minutes} minutes: narrow it`);
    }
    yield page;
  }
}

async function* startingWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T, void> {
  yield first;
  yield* rest;
}
