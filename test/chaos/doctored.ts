import type { Journal, Removal, SentItem, SentRequest } from '../../chaos/record/journal.ts';
import type { BatchState, ImportState, RawResource, Snapshot, TenantState } from '../../chaos/record/snapshot.ts';
import type { BatchAnswer, ItemAnswer, JsonObject, ResourceAnswer } from '../../chaos/workload/answers.ts';
import { KINDS, type KindName, kindOf, referencesOf } from '../../chaos/workload/definitions.ts';
import { cellsOf, labelOf } from '../../chaos/workload/import-files.ts';

/** A journal and a snapshot that agree, made batch by batch; a test then falsifies one thing. */
export class Doctored {
  readonly journal: Journal = {
    seed: 'doctored',
    clocksOffMs: 0,
    definitions: Object.fromEntries(KINDS.map(({ name }) => [name, `id-of-${name}`])) as Record<KindName, string>,
    definitionChanges: {},
    actions: {},
    tenants: ['alpha', 'beta'],
    requests: [],
    controls: [],
    halts: [],
    removals: [],
    undos: [],
    webhooks: [],
    told: [],
    reads: [],
    seen: [],
    wrongAnswers: [],
  };
  readonly batches = new Map<string, BatchState[]>([
    ['alpha', []],
    ['beta', []],
  ]);
  readonly imports = new Map<string, ImportState[]>();
  readonly resources = new Map<string, (ResourceAnswer & { kind: KindName })[]>([
    ['alpha', []],
    ['beta', []],
  ]);
  readonly raw: RawResource[] = [];
  readonly leftovers: string[] = [];
  readonly foreign: string[] = [];
  /** Removed batches that the API still returns. */
  readonly stillAnswered: string[] = [];
  #now = 1_000_000;

  /** A batch that was sent, accepted, and applied as `outcomes` say, one after the other. */
  batch(
    tenant: string,
    operation: SentRequest['operation'],
    kind: KindName,
    items: readonly (SentItem & { outcome: Partial<ItemAnswer> })[],
    options: SentRequest['options'] = {},
  ): { batch: BatchState; request: SentRequest } {
    const number = this.journal.requests.length + 1;
    const batchId = `batch-${number}`;
    const [sentAt, completedAt] = [this.#tick(), this.#tick()];
    const request: SentRequest = {
      number,
      tenant,
      operation,
      kind,
      options,
      items: items.map(({ outcome: _, ...item }) => item),
      sentAt,
      results: [{ kind: 'accepted', batchId, recordCount: items.length }],
    };
    this.journal.requests.push(request);
    const answers = items.map(
      ({ externalId, outcome }, index): ItemAnswer => ({
        index,
        externalId,
        status: 'succeeded',
        attempts: 1,
        ...outcome,
      }),
    );
    const batch = {
      ...answerOf(batchId, operation, answers),
      createdAt: new Date(sentAt).toISOString(),
      completedAt: new Date(completedAt).toISOString(),
    };
    const state: BatchState = { batch, single: batch, items: answers, bodies: items.map(({ body }) => body ?? null) };
    this.batches.get(tenant)?.push(state);
    return { batch: state, request };
  }

  /** An import in one request whose rows became these batches, all created. */
  import(
    tenant: string,
    kind: KindName,
    format: 'ndjson' | 'csv',
    batches: readonly (readonly JsonObject[])[],
  ): string {
    const made = batches.map((bodies) => {
      const items = bodies.map((body) => ({ externalId: String(body[kindOf(kind).idField]), body }));
      return this.batch(
        tenant,
        'upload',
        kind,
        items.map((item) => ({ ...item, outcome: { status: 'succeeded', action: 'created' } })),
      );
    });
    // the requests of its batches are one
    this.journal.requests.splice(-made.length);
    const number = this.journal.requests.length + 1;
    const importId = `import-${number}`;
    const request: SentRequest = {
      ...(made[0]?.request as SentRequest),
      number,
      items: made.flatMap(({ request: { items } }) => items),
      options: { untilEndOfImport: true },
      import: { format, isSealed: true },
      results: [{ kind: 'accepted', batchId: importId, recordCount: batches.flat().length }],
    };
    this.journal.requests.push(request);
    for (const { batch } of made) {
      const answer = { ...batch.batch, importId };
      Object.assign(batch, { batch: answer, single: answer });
    }
    const all = answerOf(
      '',
      'upload',
      made.flatMap(({ batch }) => batch.items ?? []),
    );
    const { status, counts, actions } = all;
    const rowsRead = request.items.length;
    const answer = {
      importId,
      label: labelOf(request),
      status,
      suspended: false,
      sealed: true,
      rowsRead,
      counts,
      actions,
    };
    const rows = request.items.map(({ body = {} }, at) => ({
      line: at + (format === 'csv' ? 2 : 1),
      status: 'succeeded',
      row: format === 'csv' ? cellsOf(kindOf(kind), body) : body,
    }));
    const batchIds = made.map(({ batch }) => batch.batch.batchId);
    this.imports.set(tenant, [...(this.imports.get(tenant) ?? []), { answer, batchIds, rows }]);
    return importId;
  }

  /** Adds a stored resource. */
  store(tenant: string, kind: KindName, externalId: string, data: JsonObject, versionNumber = 1): void {
    const key = `default/${tenant}/${this.journal.definitions[kind]}/${externalId}`;
    this.resources.get(tenant)?.push({
      id: key,
      kind,
      schemaDefinitionId: this.journal.definitions[kind],
      resourceExternalId: externalId,
      data,
      versionNumber,
      updatedAt: '',
    });
    const references = referencesOf(kindOf(kind), data).map(
      (found) => `default/${tenant}/${this.journal.definitions[found.kind]}/${found.externalId}`,
    );
    this.raw.push({ key, scope: `default/${tenant}`, data, references, version: versionNumber });
  }

  /** A batch is removed for good at this moment; it does not exist any more. */
  remove(tenant: string, batchId: string, status: number | null, sample?: Removal['sample']): void {
    const answeredAt = status === null ? Number.POSITIVE_INFINITY : this.#tick();
    this.journal.removals.push({
      tenant,
      batchId,
      sentAt: this.#tick(),
      answeredAt,
      status,
      ...(sample && { sample }),
    });
    const batches = this.batches.get(tenant) ?? [];
    this.batches.set(
      tenant,
      batches.filter(({ batch }) => batch.batchId !== batchId),
    );
  }

  /** An undo of a batch that was asked for, and has taken back what the batch did with these. @returns its id. */
  undo(tenant: string, id: string, keys: readonly { readonly kind: KindName; readonly externalId: string }[]): string {
    const undoneBy = `undo-of-${id}`;
    const [sentAt, completedAt] = [this.#tick(), this.#tick()];
    this.journal.undos.push({ tenant, id, sentAt, status: 202, undoneBy });
    const items = keys.map(
      ({ externalId }, index): ItemAnswer => ({
        index,
        externalId,
        status: 'succeeded',
        action: 'reverted',
        attempts: 1,
      }),
    );
    const batch = {
      ...answerOf(undoneBy, 'undo', items),
      options: { undoOf: id },
      createdAt: new Date(sentAt).toISOString(),
      completedAt: new Date(completedAt).toISOString(),
    };
    const undoes = keys.map(
      ({ kind, externalId }) => `default/${tenant}/${this.journal.definitions[kind]}/${externalId}`,
    );
    this.batches.get(tenant)?.push({ batch, single: batch, items, bodies: [], undoes });
    for (const { batch: undone, single } of this.batches.get(tenant) ?? [])
      if (undone.batchId === id) for (const answer of [undone, single]) Object.assign(answer ?? {}, { undoneBy });
    return undoneBy;
  }

  /** A batch is not there any more. */
  lose(tenant: string, batchId: string): void {
    const batches = this.batches.get(tenant) ?? [];
    this.batches.set(
      tenant,
      batches.filter(({ batch }) => batch.batchId !== batchId),
    );
  }

  /** Changes what is known of a batch. */
  change(tenant: string, batchId: string, state: Partial<BatchState>): void {
    for (const one of this.batches.get(tenant) ?? []) if (one.batch.batchId === batchId) Object.assign(one, state);
  }

  /** Lets time pass, in ms. */
  wait(ms: number): void {
    this.#now += ms;
  }

  /** A read of a client at this moment. */
  read(
    tenant: string,
    kind: KindName,
    externalId: string,
    resource: Pick<ResourceAnswer, 'id' | 'data' | 'versionNumber'> | null,
  ): void {
    const answer = resource && { schemaDefinitionId: '', resourceExternalId: externalId, updatedAt: '', ...resource };
    this.journal.reads.push({ tenant, kind, externalId, from: this.#tick(), to: this.#tick(), resource: answer });
  }

  snapshot(): Snapshot {
    const tenants = [...this.batches].map(
      ([tenant, batches]): TenantState => ({
        tenant,
        batches,
        imports: this.imports.get(tenant) ?? [],
        resources: this.resources.get(tenant) ?? [],
        foreignBatches: this.foreign,
      }),
    );
    return { tenants, raw: { resources: this.raw, leftovers: this.leftovers }, stillAnswered: this.stillAnswered };
  }

  #tick(): number {
    this.#now += 10;
    return this.#now;
  }
}

/** The answer about a batch that has these items. */
export function answerOf(batchId: string, operation: string, items: readonly ItemAnswer[]): BatchAnswer {
  const of = (...statuses: string[]): number => items.filter(({ status }) => statuses.includes(status)).length;
  const did = (action: string): number => items.filter((item) => item.action === action).length;
  const successful = of('succeeded', 'skipped');
  const unsuccessful = of('failed', 'expired', 'cancelled');
  const codes: Record<string, number> = {};
  for (const { errors = [] } of items) for (const { code } of errors) codes[code] = (codes[code] ?? 0) + 1;
  return {
    batchId,
    operation,
    status: unsuccessful === 0 ? 'success' : successful === 0 ? 'failed' : 'partial_success',
    suspended: false,
    schemaDefinitionId: null,
    progress: {
      totalRecords: items.length,
      processedRecords: successful + unsuccessful,
      successfulRecords: successful,
      pendingRecords: of('pending'),
      failedRecords: unsuccessful,
      successRate: 0,
    },
    counts: {
      queued: of('queued'),
      pending: of('pending'),
      succeeded: of('succeeded'),
      failed: of('failed'),
      expired: of('expired'),
      skipped: of('skipped'),
      cancelled: of('cancelled'),
    },
    actions: {
      created: did('created'),
      updated: did('updated'),
      unchanged: did('unchanged'),
      deleted: did('deleted'),
      cascaded: 0,
    },
    options: {},
    createdAt: '',
    ...(Object.keys(codes).length > 0 && { errors: { summary: codes } }),
  };
}
