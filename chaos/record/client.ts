import { setTimeout as sleep } from 'node:timers/promises';
import { type AcceptedBatch, createDrover, type DroverClient, DroverError } from '@drover/client';
import {
  type BatchAnswer,
  type ItemAnswer,
  type JsonObject,
  type ResourceAnswer,
  TERMINAL_STATUSES,
} from '../workload/answers.ts';
import { type KindName, kindOf } from '../workload/definitions.ts';
import { type Answer, NoAnswerError } from './errors.ts';
import { type ImportCaller, ImportClient } from './import-client.ts';
import type { ControlRequest, Journal, Removal, SendResult, SentRequest, UndoRequest, Verb } from './journal.ts';

/** Longest wait for an answer, in ms. */
const ANSWER_TIMEOUT_MS = 15_000;

/** What a successful control request is answered with. */
const CONTROL_STATUS: Readonly<Record<Verb, number>> = { suspend: 200, resume: 200, cancel: 200, retry: 202 };

/**
 * A client of the API. The requests of the workload are sent by `@drover/client`, as those of a caller, but without its
 * retries. What the checker reads is read by plain HTTP: it shares no code with the service.
 */
export class ApiClient {
  readonly #url: string;
  readonly #journal: Journal;
  readonly #drover: DroverClient;
  readonly imports: ImportClient;

  constructor(url: string, journal: Journal) {
    this.#url = url;
    this.#journal = journal;
    this.#drover = createDrover({ url, retry: false, timeoutMs: ANSWER_TIMEOUT_MS });
    const call: ImportCaller['call'] = (path, tenant, init) => this.#read(path, tenant, 'application/json', init);
    this.imports = new ImportClient({ call, list: (tenant, path) => this.list(tenant, path) }, journal);
  }

  /** Sends a request that starts a batch, and writes down what came of it. */
  async send(request: SentRequest): Promise<SendResult> {
    const what = `${request.operation} ${request.kind}`;
    const result = await this.#start(request).then(
      ({ batchId, recordCount }): SendResult => ({ kind: 'accepted', batchId, recordCount }),
      (error: unknown): SendResult => {
        const status = this.#statusOf(what, error);
        if (status !== null && status < 500) return { kind: 'refused', status };
        return { kind: 'unknown', why: String(status ?? error) };
      },
    );
    request.results.push(result);
    return result;
  }

  #start({ operation, kind, items, options, key, tenant }: SentRequest): Promise<AcceptedBatch> {
    const { resources } = this.#drover.forTenant(tenant);
    const { cascade = false, deleteAll = false, onconflict, dependencyWaitTimeout, ignoreUnknownFields } = options;
    const kept = {
      ...(options.undoable && { undoable: true }),
      ...(options.startAt !== undefined && { startAt: options.startAt }),
    };
    const bodies = items.map(({ body }) => body ?? {});
    const patching = {
      idempotencyKey: key ?? null,
      ...kept,
      ...(ignoreUnknownFields !== undefined && { ignoreUnknownFields }),
    };
    const uploading = {
      ...patching,
      ...(onconflict !== undefined && { onconflict }),
      ...(dependencyWaitTimeout !== undefined && { dependencyWaitTimeout }),
    };
    switch (operation) {
      case 'upload':
        return resources.upload(kind, bodies, uploading);
      case 'patch':
        return resources.patch(kind, bodies, patching);
      case 'delete': {
        const externalIds = items.flatMap(({ externalId }) => externalId ?? []);
        return resources.delete(kind, { externalIds, cascade, deleteAll }, { idempotencyKey: key ?? null, ...kept });
      }
    }
  }

  /** @returns the status of a refusal; null where the answer was lost. @throws what is neither. */
  #statusOf(what: string, error: unknown): number | null {
    if (!(error instanceof DroverError)) throw error;
    if (error.status !== null) this.#noteWrong(what, error.status, error.message);
    return error.status;
  }

  /** An unavailable server is a 503 with Retry-After; any other 5xx is a bug. */
  #noteWrong(what: string, status: number, text: string): void {
    if (status >= 500 && status !== 503) this.#journal.wrongAnswers.push(`${what}: ${status} ${text.slice(0, 200)}`);
  }

  /** Sends a request with a key until its answer is there. */
  async sendUntilAnswered(request: SentRequest, deadline: number): Promise<void> {
    for (;;) {
      const result = await this.send(request);
      if (result.kind !== 'unknown' || Date.now() > deadline) return;
      await sleep(300);
    }
  }

  /** @returns the status of the answer; null where it was lost. */
  async control(tenant: string, batchId: string, verb: Verb): Promise<number | null> {
    const request: ControlRequest = { tenant, batchId, verb, sentAt: Date.now(), status: null };
    this.#journal.controls.push(request);
    request.status = await this.#drover
      .forTenant(tenant)
      .batches[verb](batchId)
      .then(
        () => CONTROL_STATUS[verb],
        (error: unknown) => this.#statusOf(`${verb} ${batchId}`, error),
      );
    return request.status;
  }

  /** Takes back what a batch has done, or an import. */
  async undo(tenant: string, id: string, isImport = false): Promise<UndoRequest> {
    const request: UndoRequest = { tenant, id, sentAt: Date.now(), status: null, ...(isImport && { isImport: true }) };
    this.#journal.undos.push(request);
    const { batches, imports } = this.#drover.forTenant(tenant);
    const sent = isImport
      ? imports.undo(id).then(({ bulkOperationId }) => bulkOperationId)
      : batches.undo(id).then(({ batchId }) => batchId);
    request.status = await sent.then(
      (undoneBy) => {
        request.undoneBy = undoneBy;
        return 202;
      },
      (error: unknown) => this.#statusOf(`undo ${id}`, error),
    );
    return request;
  }

  async createWebhook(tenant: string, url: string): Promise<void> {
    const events = ['batch.completed', 'batch.cancelled', 'import.completed', 'import.cancelled'] as const;
    const { webhookId } = await this.#drover.forTenant(tenant).webhooks.create({ url, events: [...events] });
    this.#journal.webhooks.push({ tenant, webhookId });
  }

  /** Sends what was not received yet again now: its next time may be minutes ahead. @throws NoAnswerError */
  async hurryDeliveries(tenant: string, webhookId: string): Promise<void> {
    const path = `/api/webhooks/${webhookId}/deliveries`;
    for (const { deliveryId } of await this.list<{ deliveryId: string }>(tenant, `${path}?status=pending`))
      await this.#read(`${path}/${deliveryId}/redeliver`, tenant, 'application/json', { method: 'POST' });
  }

  /** Bulk operations of a tenant that have not ended. @throws NoAnswerError */
  async unfinishedOperations(tenant: string): Promise<string[]> {
    const all = await this.list<{ bulkOperationId: string; completedAt?: string }>(tenant, '/api/bulk-operations');
    return all.flatMap(({ bulkOperationId, completedAt }) => (completedAt === undefined ? [bulkOperationId] : []));
  }

  /** Removes a batch permanently. */
  async remove(tenant: string, batchId: string): Promise<Removal> {
    const removal: Removal = {
      tenant,
      batchId,
      sentAt: Date.now(),
      answeredAt: Number.POSITIVE_INFINITY,
      status: null,
    };
    this.#journal.removals.push(removal);
    const status = await this.#drover
      .forTenant(tenant)
      .batches.delete(batchId)
      .then(
        () => 200,
        (error: unknown) => this.#statusOf(`delete batch ${batchId}`, error),
      );
    if (status !== null) Object.assign(removal, { status, answeredAt: Date.now() });
    return removal;
  }

  /** @throws NoAnswerError */
  async batch(tenant: string, batchId: string): Promise<BatchAnswer | null> {
    return this.#get<BatchAnswer>(tenant, `/api/batches/${batchId}`);
  }

  /** @throws NoAnswerError */
  async items(tenant: string, batchId: string): Promise<ItemAnswer[] | null> {
    const answer = await this.#read(`/api/batches/${batchId}/items`, tenant, 'application/x-ndjson');
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw new NoAnswerError(String(answer.status));
    return answer.text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as ItemAnswer]));
  }

  /** @throws NoAnswerError */
  async resource(tenant: string, kind: KindName, externalId: string): Promise<ResourceAnswer | null> {
    return this.#get<ResourceAnswer>(tenant, `/api/resources/${kind}/${encodeURIComponent(externalId)}`);
  }

  /** All of a list, page after page. @throws NoAnswerError */
  async list<T>(tenant: string, path: string): Promise<T[]> {
    const all: T[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = `${path.includes('?') ? '&' : '?'}limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
      const page: { results: T[]; pagination: { cursor: string | null } } | null = await this.#get(
        tenant,
        path + query,
      );
      if (page === null) throw new NoAnswerError(`${path}: 404`);
      all.push(...page.results);
      cursor = page.pagination.cursor;
    }
    return all;
  }

  /** The newest hundred, as they are stored. @throws NoAnswerError */
  async newestBatches(tenant: string): Promise<BatchAnswer[]> {
    return (await this.#get<{ results: BatchAnswer[] }>(tenant, '/api/batches?limit=100'))?.results ?? [];
  }

  /** Batches of a tenant that are not finished. @throws NoAnswerError */
  async unfinished(tenant: string): Promise<BatchAnswer[]> {
    const batches = await this.list<BatchAnswer>(tenant, '/api/batches');
    return batches.filter((batch) => !TERMINAL_STATUSES.includes(batch.status));
  }

  /** @returns the id of the definition. */
  async define(name: KindName): Promise<string> {
    const { schema, idField } = kindOf(name);
    return (await this.#drover.schemaDefinitions.create({ name, externalIdField: idField, schema })).id;
  }

  /** Puts the next version of a definition in place, and counts what came of it. */
  async redefine(name: KindName, schema: JsonObject): Promise<void> {
    const changes = this.#journal.definitionChanges;
    const outcome = await this.#drover.schemaDefinitions.replace(name, { schema }).then(
      () => '200',
      (error: unknown) => String(this.#statusOf(`redefine ${name}`, error) ?? 'not answered'),
    );
    changes[outcome] = (changes[outcome] ?? 0) + 1;
  }

  async isReady(): Promise<boolean> {
    return this.#read('/readyz', 'default').then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  async #get<T>(tenant: string, path: string): Promise<T | null> {
    const { status, text } = await this.#read(path, tenant);
    if (status === 404) return null;
    if (status !== 200) throw new NoAnswerError(`${path}: ${status}`);
    return (JSON.parse(text) as { data: T }).data;
  }

  async #read(path: string, tenant: string, accept = 'application/json', init: RequestInit = {}): Promise<Answer> {
    let answer: Answer;
    try {
      const response = await fetch(this.#url + path, {
        ...init,
        headers: { 'reach-tenant-id': tenant, accept, ...init.headers },
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      const type = response.headers.get('content-type') ?? '';
      answer = { status: response.status, text: await response.text(), type };
    } catch (error) {
      throw new NoAnswerError(`${path}: ${error instanceof Error ? `${error.message} ${error.cause ?? ''}` : error}`);
    }
    if (path !== '/readyz') this.#noteWrong(`${init.method ?? 'GET'} ${path}`, answer.status, answer.text);
    return answer;
  }
}
