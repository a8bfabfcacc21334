import { setTimeout as sleep } from 'node:timers/promises';
import type { ImportView } from '../../../services/imports/view-import.ts';
import type { Answer, Drover } from '../../harness/drover.ts';

/** Imports of a test, by the API. */
const NDJSON = { 'content-type': 'application/x-ndjson' };

/** Rows as newline-delimited JSON. */
export const ndjson = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

const query = (options: Readonly<Record<string, string | number | boolean>>): string =>
  new URLSearchParams(
    Object.entries(options).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();

type Options = Readonly<Record<string, string | number | boolean>>;

/** Starts an import in one request. */
export function send(
  drover: Drover,
  options: Options,
  body: string | Uint8Array,
  headers: Record<string, string> = NDJSON,
): Promise<Answer<{ importId: string }>> {
  return drover.request('POST', `/api/imports?${query(options)}`, { body, headers });
}

/** Starts an import in one request, which is accepted. @returns its id. */
export async function started(drover: Drover, options: Options, body: string | Uint8Array): Promise<string> {
  const answer = await send(drover, options, body);
  if (answer.status !== 202)
    throw new Error(`the import was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body.data.importId;
}

/** Starts an import whose content comes in parts. @returns its id. */
export async function opened(drover: Drover, options: Options): Promise<string> {
  const answer = await drover.request<{ importId: string }>(
    'POST',
    `/api/imports?${query({ format: 'ndjson', ...options })}`,
  );
  if (answer.status !== 201)
    throw new Error(`the import was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body.data.importId;
}

export const putPart = (
  drover: Drover,
  importId: string,
  part: number | string,
  body: string | Uint8Array,
  headers = {},
) =>
  drover.request<{ bytes: number }>('PUT', `/api/imports/${importId}/parts/${part}`, {
    body,
    headers: { ...NDJSON, ...headers },
  });

export const seal = (drover: Drover, importId: string, parts: number) =>
  drover.request<ImportView>('POST', `/api/imports/${importId}/seal`, { body: { parts } });

export async function view(drover: Drover, importId: string): Promise<ImportView> {
  const answer = await drover.request<ImportView>('GET', `/api/imports/${importId}`);
  if (answer.status !== 200) throw new Error(`the import was answered ${answer.status}`);
  return answer.body.data;
}

/** Waits for a state of an import. @throws after `timeoutMs`, with the last state seen. */
export async function until(
  drover: Drover,
  importId: string,
  isThere: (view: ImportView) => boolean,
  timeoutMs = 60_000,
): Promise<ImportView> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const now = await view(drover, importId);
    if (isThere(now)) return now;
    if (Date.now() > deadline) throw new Error(`import ${importId} did not reach the state: ${JSON.stringify(now)}`);
    await sleep(100);
  }
}

export const isOver = ({ status }: ImportView): boolean =>
  ['success', 'partial_success', 'failed', 'cancelled'].includes(status);

export const ended = (drover: Drover, importId: string, timeoutMs?: number): Promise<ImportView> =>
  until(drover, importId, isOver, timeoutMs);

/** A row with its outcome, as `…/results` has it. */
interface Result {
  readonly line: number;
  readonly row: unknown;
  readonly status: string;
  readonly action?: string;
  readonly errors?: readonly { readonly code: string; readonly message: string }[];
}

/** The results of an import, as text and parsed. */
export async function results(
  drover: Drover,
  importId: string,
  status = '',
): Promise<{ lines: string[]; rows: Result[] }> {
  const response = await drover.app.request(`/api/imports/${importId}/results${status && `?status=${status}`}`);
  const lines = (await response.text()).split('\n').filter((line) => line !== '');
  return { lines, rows: lines.map((line) => JSON.parse(line) as Result) };
}
