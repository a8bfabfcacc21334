import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ImportAnswer,
  type Json,
  type JsonObject,
  type ResultRow,
  TERMINAL_STATUSES,
} from '../workload/answers.ts';
import { contentOf, labelOf, parseCsv, partsOf } from '../workload/import-files.ts';
import { type Answer, NoAnswerError } from './errors.ts';
import type { ControlRequest, Journal, Removal, SendResult, SentRequest, Verb } from './journal.ts';

/** Calls the API by plain HTTP. */
export interface ImportCaller {
  /** @throws NoAnswerError */
  call(path: string, tenant: string, init?: RequestInit & { duplex?: 'half' }): Promise<Answer>;
  /** All of a list, page after page. @throws NoAnswerError */
  list<T>(tenant: string, path: string): Promise<T[]>;
}

const CONTENT_TYPES = { ndjson: 'application/x-ndjson', csv: 'text/csv' } as const;
/** Pause between pieces of content, in ms: rows are carried out while later ones arrive. */
const PIECE_EVERY_MS = 250;
const PIECES = 4;

/** Imports of the workload: as callers send them, and as the checker reads them. */
export class ImportClient {
  readonly #caller: ImportCaller;
  readonly #journal: Journal;

  constructor(caller: ImportCaller, journal: Journal) {
    this.#caller = caller;
    this.#journal = journal;
  }

  /** Sends a file in one request, piece by piece. */
  async send(request: SentRequest): Promise<void> {
    const answer = await this.#unlessUnanswered(() =>
      this.#caller.call(`/api/imports?${queryOf(request)}`, request.tenant, {
        method: 'POST',
        headers: { 'content-type': typeOf(request) },
        body: slowly(contentOf(request)),
        duplex: 'half',
      }),
    );
    request.results.push(resultOf(request, answer, 202));
    if (request.import && answer?.status === 202) request.import.isSealed = true;
  }

  /** Begins an import in parts. @returns its id, if it is known. */
  async open(request: SentRequest): Promise<string | undefined> {
    const query = `${queryOf(request)}&format=${request.import?.format}`;
    const answer = await this.#unlessUnanswered(() =>
      this.#caller.call(`/api/imports?${query}`, request.tenant, { method: 'POST' }),
    );
    const result = resultOf(request, answer, 201);
    request.results.push(result);
    return result.kind === 'accepted' ? result.batchId : undefined;
  }

  /** @returns the status of the answer; null where it was lost. */
  async sendPart(request: SentRequest, importId: string, part: number): Promise<number | null> {
    const answer = await this.#unlessUnanswered(() =>
      this.#caller.call(`/api/imports/${importId}/parts/${part}`, request.tenant, {
        method: 'PUT',
        headers: { 'content-type': typeOf(request) },
        body: partsOf(request)[part - 1] ?? '',
      }),
    );
    return answer?.status ?? null;
  }

  async seal(request: SentRequest, importId: string): Promise<number | null> {
    const answer = await this.#unlessUnanswered(() =>
      this.#caller.call(`/api/imports/${importId}/seal`, request.tenant, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ parts: partsOf(request).length }),
      }),
    );
    if (request.import && answer?.status === 200) request.import.isSealed = true;
    return answer?.status ?? null;
  }

  /** Sends what is missing of an import in parts, until it is sealed or refused. @returns false if its answers were lost. */
  async complete(request: SentRequest, importId: string): Promise<boolean> {
    for (const part of partsOf(request).keys()) {
      const status = await this.sendPart(request, importId, part + 1);
      if (status === null || status >= 500) return false;
      if (status >= 400) return true;
    }
    const status = await this.seal(request, importId);
    return status !== null && status < 500;
  }

  /** @returns the status of the answer; null where it was lost. */
  async control(tenant: string, importId: string, verb: Verb): Promise<number | null> {
    const request: ControlRequest = { tenant, batchId: importId, verb, sentAt: Date.now(), status: null };
    this.#journal.controls.push(request);
    const answer = await this.#unlessUnanswered(() =>
      this.#caller.call(`/api/imports/${importId}/${verb}`, tenant, { method: 'POST' }),
    );
    request.status = answer?.status ?? null;
    return request.status;
  }

  async remove(tenant: string, importId: string): Promise<void> {
    const answeredAt = Number.POSITIVE_INFINITY;
    const removal: Removal = {
      tenant,
      batchId: importId,
      sentAt: Date.now(),
      answeredAt,
      status: null,
      isImport: true,
    };
    this.#journal.removals.push(removal);
    const answer = await this.#unlessUnanswered(() =>
      this.#caller.call(`/api/imports/${importId}`, tenant, { method: 'DELETE' }),
    );
    // a 404 after an answer that was lost: it is removed
    if (answer !== null)
      Object.assign(removal, { status: answer.status === 404 ? 200 : answer.status, answeredAt: Date.now() });
  }

  /** @throws NoAnswerError */
  list(tenant: string): Promise<ImportAnswer[]> {
    return this.#caller.list<ImportAnswer>(tenant, '/api/imports');
  }

  /** @throws NoAnswerError */
  async unfinished(tenant: string): Promise<ImportAnswer[]> {
    return (await this.list(tenant)).filter(({ status }) => !TERMINAL_STATUSES.includes(status));
  }

  /** Null where it is a 404. @throws NoAnswerError */
  async read(tenant: string, importId: string): Promise<ImportAnswer | null> {
    const { status, text } = await this.#caller.call(`/api/imports/${importId}`, tenant);
    if (status === 404) return null;
    if (status !== 200) throw new NoAnswerError(`import: ${status}`);
    return (JSON.parse(text) as { data: ImportAnswer }).data;
  }

  /** In the order of the rows. @throws NoAnswerError */
  async batchIds(tenant: string, importId: string): Promise<string[]> {
    const batches = await this.#caller.list<{ batchId: string }>(tenant, `/api/imports/${importId}/batches`);
    return batches.map(({ batchId }) => batchId);
  }

  /** The rows with their outcomes, as the file was. @throws NoAnswerError */
  async rows(tenant: string, importId: string): Promise<ResultRow[]> {
    const { status, text, type } = await this.#caller.call(`/api/imports/${importId}/results`, tenant);
    if (status !== 200) throw new NoAnswerError(`results: ${status}`);
    if (!type.startsWith('text/csv'))
      return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as ResultRow]));
    const [header = [], ...records] = parseCsv(text);
    const own = header.indexOf('_line');
    return records.map((cells) => ({
      line: Number(cells[own]),
      status: cells[own + 1] ?? '',
      row: cells.slice(0, own) as Json,
    }));
  }

  async #unlessUnanswered(call: () => Promise<Answer>): Promise<Answer | null> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof NoAnswerError) return null;
      throw error;
    }
  }
}

const typeOf = (request: SentRequest): string => CONTENT_TYPES[request.import?.format ?? 'ndjson'];

const queryOf = (request: SentRequest): string =>
  new URLSearchParams({
    schema: request.kind,
    label: labelOf(request),
    ...(request.options.onconflict && { onconflict: request.options.onconflict }),
    ...(request.options.undoable && { undoable: 'true' }),
  }).toString();

function resultOf({ items }: SentRequest, answer: Answer | null, wanted: number): SendResult {
  if (answer === null || answer.status >= 500) return { kind: 'unknown', why: String(answer?.status ?? 'no answer') };
  if (answer.status !== wanted) return { kind: 'refused', status: answer.status };
  const { data } = JSON.parse(answer.text) as { data: JsonObject };
  return { kind: 'accepted', batchId: String(data.importId), recordCount: items.length };
}

/** Content in some pieces, cut wherever it may be. */
function slowly(content: Buffer): ReadableStream<Uint8Array> {
  const size = Math.ceil(content.length / PIECES);
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      if (at > 0) await sleep(PIECE_EVERY_MS);
      if (at >= content.length) return controller.close();
      controller.enqueue(content.subarray(at, at + size));
      at += size;
    },
  });
}
