import { batchIdsOf, type ControlRequest, type Journal, type SentRequest } from '../record/journal.ts';
import type { ImportState, Snapshot, TenantState } from '../record/snapshot.ts';
import { canonical, type Json, TERMINAL_STATUSES } from '../workload/answers.ts';
import { kindOf } from '../workload/definitions.ts';
import { cellsOf, labelOf, textOf } from '../workload/import-files.ts';
import { removalsByBatch } from './removals.ts';
import type { Violation } from './violation.ts';

/** What is known of the imports of a run. */
export interface ImportFindings {
  /** Batch -> the request that has sent its rows, with these alone. */
  readonly slices: ReadonlyMap<string, SentRequest>;
  /** What was asked of an import was asked of its batches. */
  readonly controls: readonly ControlRequest[];
  readonly violations: readonly Violation[];
}

/**
 * Finds the file of every import, and the rows of each of its batches: the checker knows the file, so each row is in one batch, in order, whole,
 * and has the outcome that the results say. An import that was accepted is there, and all of its rows are, unless it was cancelled; one that was
 * broken off has a part of them, from the first on.
 */
export function matchImports(journal: Journal, snapshot: Pick<Snapshot, 'tenants'>): ImportFindings {
  const byLabel = new Map(journal.requests.flatMap((request) => (request.import ? [[labelOf(request), request]] : [])));
  const slices = new Map<string, SentRequest>();
  const controls: ControlRequest[] = [];
  const violations: Violation[] = [];
  const found = new Map<SentRequest, string[]>();
  for (const state of snapshot.tenants) {
    for (const imported of state.imports) {
      const { importId, label = '' } = imported.answer;
      const request = byLabel.get(label);
      const about = { tenant: state.tenant, batchId: importId };
      if (request?.tenant !== state.tenant) {
        violations.push({ ...about, rule: 'unknown import', detail: `no client of this tenant has sent "${label}"` });
        continue;
      }
      found.set(request, [...(found.get(request) ?? []), importId]);
      const check = new ImportCheck(state, imported, request, wasCancelled(journal, imported));
      for (const [batchId, slice] of check.slices()) slices.set(batchId, slice);
      controls.push(...controlsOf(journal, imported));
      violations.push(...check.violations);
    }
  }
  return { slices, controls, violations: [...violations, ...checkAccepted(journal, found)] };
}

/** Whether rows may be left out: a client has cancelled it, or it was broken off. */
const wasCancelled = ({ controls }: Journal, { answer }: ImportState): boolean =>
  answer.brokenOff !== undefined ||
  controls.some(
    ({ batchId, verb, status }) =>
      batchId === answer.importId && verb === 'cancel' && (status === null || status < 400 || status >= 500),
  );

function controlsOf({ controls }: Journal, { answer, batchIds }: ImportState): ControlRequest[] {
  const own = controls.filter(({ batchId }) => batchId === answer.importId);
  const brokenOff: ControlRequest[] = answer.brokenOff
    ? [{ tenant: '', batchId: answer.importId, verb: 'cancel', sentAt: 0, status: null }]
    : [];
  return batchIds.flatMap((batchId) => [...own, ...brokenOff].map((control) => ({ ...control, batchId })));
}

function checkAccepted(journal: Journal, found: ReadonlyMap<SentRequest, readonly string[]>): Violation[] {
  const removals = removalsByBatch(journal);
  return journal.requests.flatMap((request): Violation[] => {
    if (request.import === undefined) return [];
    const about = { tenant: request.tenant, request: request.number };
    const there = found.get(request) ?? [];
    const lost = batchIdsOf(request).filter((id) => !there.includes(id) && !removals.has(id));
    return [
      ...lost.map((batchId) => ({
        ...about,
        batchId,
        rule: 'import lost',
        detail: 'it was accepted and is not there',
      })),
      ...(there.length > 1 ? [{ ...about, rule: 'one request, two imports', detail: there.join(', ') }] : []),
    ];
  });
}

/** Checks one import. */
class ImportCheck {
  readonly violations: Violation[] = [];
  readonly #state: TenantState;
  readonly #imported: ImportState;
  readonly #request: SentRequest;
  readonly #isCancelled: boolean;

  constructor(state: TenantState, imported: ImportState, request: SentRequest, isCancelled: boolean) {
    this.#state = state;
    this.#imported = imported;
    this.#request = request;
    this.#isCancelled = isCancelled;
  }

  slices(): Map<string, SentRequest> {
    const { items } = this.#request;
    const { answer, batchIds } = this.#imported;
    const slices = new Map<string, SentRequest>();
    const batches = new Map(this.#state.batches.map((state) => [state.batch.batchId, state]));
    const statuses: string[] = [];
    let at = 0;
    for (const batchId of batchIds) {
      const own = batches.get(batchId)?.items;
      if (own === undefined || own === null) this.#wrong('batch lost', `its batch ${batchId} is not in the list`);
      const count = own?.length ?? 0;
      const { import: _, ...request } = this.#request;
      const result = { kind: 'accepted', batchId, recordCount: count } as const;
      slices.set(batchId, { ...request, items: items.slice(at, at + count), results: [result] });
      statuses.push(...(own ?? []).map(({ status }) => status));
      at += count;
    }
    this.#checkRows(at);
    if (TERMINAL_STATUSES.includes(answer.status)) this.#checkResults(statuses);
    return slices;
  }

  #checkRows(count: number): void {
    const { answer } = this.#imported;
    const sent = this.#request.items.length;
    if (!TERMINAL_STATUSES.includes(answer.status)) this.#wrong('import not ended', `it is ${answer.status}`);
    if (count > sent) this.#wrong('rows twice', `${count} rows are in batches, sent were ${sent}`);
    if (this.#request.import?.isSealed && !answer.sealed)
      this.#wrong('rows lost', 'it was accepted, and is not sealed');
    if (answer.sealed && !this.#isCancelled && count < sent)
      this.#wrong('rows lost', `${count} rows are in batches, sent were ${sent}`);
    if (!answer.sealed && !this.#isCancelled) this.#wrong('rows lost', 'it has ended unsealed, and is not broken off');
    if (answer.rowsRead !== count) this.#wrong('numbers do not add up', `rowsRead ${answer.rowsRead}, rows ${count}`);
  }

  /** Numbers and results say what the items of the batches do. */
  #checkResults(statuses: readonly string[]): void {
    const { answer, rows } = this.#imported;
    const counted = Object.fromEntries(
      Object.keys(answer.counts).map((name) => [name, statuses.filter((status) => status === name).length]),
    );
    if (canonical(answer.counts) !== canonical(counted))
      this.#wrong('numbers do not add up', `reported ${canonical(answer.counts)}, counted ${canonical(counted)}`);
    const first = this.#request.import?.format === 'csv' ? 2 : 1;
    const expected = statuses.map((status, at) => ({ line: at + first, status, row: this.#rowOf(at) }));
    const at = expected.findIndex((row, index) => canonical(row) !== canonical(pickedOf(rows[index])));
    if (at >= 0 || rows.length !== expected.length)
      this.#wrong(
        'results differ',
        `${rows.length} rows, ${expected.length} expected; the first other one is ${canonical(rows[at])}, not ${canonical(expected[at])}`,
      );
  }

  /** A row as the results have it. */
  #rowOf(at: number): Json {
    const item = this.#request.items[at];
    if (item === undefined) return null;
    const text = textOf(this.#request, item);
    if (this.#request.import?.format !== 'csv') return item.text ?? (JSON.parse(text) as Json);
    const kind = kindOf(this.#request.kind);
    const cells = item.text === undefined ? cellsOf(kind, item.body ?? {}) : [text];
    return [...cells, ...Array.from({ length: cellsOf(kind, {}).length - cells.length }, () => '')];
  }

  #wrong(rule: string, detail: string): void {
    const { tenant, number } = this.#request;
    this.violations.push({ rule, tenant, batchId: this.#imported.answer.importId, request: number, detail });
  }
}

const pickedOf = (row: ImportState['rows'][number] | undefined) =>
  row && { line: row.line, status: row.status, row: row.row };
