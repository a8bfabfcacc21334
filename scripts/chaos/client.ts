import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BatchAnswer,
  type ItemAnswer,
  type JsonObject,
  type ResourceAnswer,
  TERMINAL_STATUSES,
} from './answers.ts';
import { type KindName, kindOf } from './definitions.ts';
import type { ControlRequest, Journal, Removal, SendResult, SentRequest, Verb } from './journal.ts';

/** Longest wait for an answer, in ms. */
const ANSWER_TIMEOUT_MS = 15_000;

/** An answer that the service never should have given, or one that did not come: the client does not know what happened. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

const METHODS = { upload: 'POST', patch: 'PATCH', delete: 'DELETE' } as const;

/** A client of the API: plain HTTP, nothing is retried behind its back. */
export class ApiClient {
  readonly #url: string;
  readonly #journal: Journal;

  constructor(url: string, journal: Journal) {
    this.#url = url;
    this.#journal = journal;
  }

  /** Sends a request that starts a batch, and writes down what came of it. */
  async send(request: SentRequest): Promise<SendResult> {
    const { operation, kind, items, options, key, tenant } = request;
    const { cascade = false, deleteAll = false, ...query } = options;
    const externalIds = items.map((item) => item.externalId);
    const body =
      operation === 'delete' ? { externalIds, cascade, deleteAll } : { resources: items.map((item) => item.body) };
    const search = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
    );
    const result = await this.#post(`${METHODS[operation]} /api/resources/${kind}/batch?${search}`, tenant, body, key);
    request.results.push(result);
    return result;
  }

  async #post(what: string, tenant: string, body: unknown, key?: string): Promise<SendResult> {
    try {
      const { status, text } = await this.#request(what, tenant, { body, key });
      if (status === 202) {
        const { batchId, recordCount } = JSON.parse(text).data as { batchId: string; recordCount: number };
        return { kind: 'accepted', batchId, recordCount };
      }
      return status < 500 ? { kind: 'refused', status } : { kind: 'unknown', why: String(status) };
    } catch (error) {
      return { kind: 'unknown', why: String(error) };
    }
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
    try {
      request.status = (await this.#request(`POST /api/batches/${batchId}/${verb}`, tenant)).status;
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
    }
    return request.status;
  }

  /** Removes a batch for good. */
  async remove(tenant: string, batchId: string): Promise<Removal> {
    const removal: Removal = {
      tenant,
      batchId,
      sentAt: Date.now(),
      answeredAt: Number.POSITIVE_INFINITY,
      status: null,
    };
    this.#journal.removals.push(removal);
    try {
      const { status } = await this.#request(`DELETE /api/batches/${batchId}`, tenant);
      Object.assign(removal, { status, answeredAt: Date.now() });
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
    }
    return removal;
  }

  /** @throws NoAnswerError */
  async batch(tenant: string, batchId: string): Promise<BatchAnswer | null> {
    return this.#get<BatchAnswer>(tenant, `/api/batches/${batchId}`);
  }

  /** @throws NoAnswerError */
  async items(tenant: string, batchId: string): Promise<ItemAnswer[] | null> {
    const answer = await this.#request(`GET /api/batches/${batchId}/items`, tenant, { accept: 'application/x-ndjson' });
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
    const body = { name, externalIdField: idField, schema };
    const { status, text } = await this.#request('POST /partner/schema-definitions', 'default', { body });
    if (status !== 201) throw new Error(`${name} was not defined: ${status} ${text}`);
    return (JSON.parse(text).data as { id: string }).id;
  }

  /** Puts the next version of a definition in place, and counts what came of it. */
  async redefine(name: KindName, schema: JsonObject): Promise<void> {
    const changes = this.#journal.definitionChanges;
    const outcome = await this.#request(`PUT /partner/schema-definitions/${name}`, 'default', {
      body: { schema },
    }).then(
      ({ status }) => String(status),
      () => 'not answered',
    );
    changes[outcome] = (changes[outcome] ?? 0) + 1;
  }

  async isReady(): Promise<boolean> {
    return this.#request('GET /readyz', 'default').then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  async #get<T>(tenant: string, path: string): Promise<T | null> {
    const { status, text } = await this.#request(`GET ${path}`, tenant);
    if (status === 404) return null;
    if (status !== 200) throw new NoAnswerError(`${path}: ${status}`);
    return (JSON.parse(text) as { data: T }).data;
  }

  async #request(
    what: string,
    tenant: string,
    { body, key, accept }: { body?: unknown; key?: string | undefined; accept?: string } = {},
  ): Promise<Answer> {
    const [method = '', path = ''] = what.split(' ');
    const headers: Record<string, string> = {
      'reach-tenant-id': tenant,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(key !== undefined && { 'idempotency-key': key }),
      ...(accept !== undefined && { accept }),
    };
    let answer: Answer;
    try {
      const response = await fetch(this.#url + path, {
        method,
        headers,
        ...(body !== undefined && { body: JSON.stringify(body as JsonObject) }),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      answer = { status: response.status, text: await response.text() };
    } catch (error) {
      throw new NoAnswerError(`${what}: ${error instanceof Error ? `${error.message} ${error.cause ?? ''}` : error}`);
    }
    // a server that is away is a 503 with Retry-After; what else goes wrong inside is a bug
    const isWrong = answer.status >= 500 && answer.status !== 503 && path !== '/readyz';
    if (isWrong) this.#journal.wrongAnswers.push(`${what}: ${answer.status} ${answer.text.slice(0, 200)}`);
    return answer;
  }
}
