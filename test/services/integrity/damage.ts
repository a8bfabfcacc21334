import type { Collection, Document } from 'mongodb';
import { expect, vi } from 'vitest';
import type { FaultKind } from '../../../services/integrity/check.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { ended as importEnded, ndjson, opened, putPart, seal, started } from '../../end-to-end/imports/imports.ts';
import type { Drover } from '../../harness/drover.ts';

/** One kind of damage, done to a database on purpose. */
export interface Damage {
  readonly kind: FaultKind;
  /** @returns the `_id` of the document at which the fault is to be found. */
  inflict(): Promise<string>;
  /** A fault of another kind that the same damage makes, and where. */
  readonly alsoAt?: readonly [FaultKind, string];
}

/** A time long ago, and an id that was made then. */
const LONG_AGO = new Date('2022-06-01T00:00:00Z');
const OLD_ID = '01811ab0-0000-7000-8000-000000000001';

interface Stored extends Document {
  _id: string;
}

/** Does each kind of damage to data of its own, past the service. */
export class Damages {
  readonly #drover: Drover;
  #schemaId = '';

  constructor(drover: Drover) {
    this.#drover = drover;
  }

  #in(name: string): Collection<Stored> {
    return batchesIn(this.#drover.services.database).db.collection<Stored>(name);
  }

  readonly #key = (externalId: string): string => `default/default/${this.#schemaId}/${externalId}`;

  async #uploaded(...resources: object[]): Promise<string> {
    const id = await this.#drover.upload('knot', resources);
    await this.#drover.ended(id);
    return id;
  }

  async #waiting(externalId: string, missing: string): Promise<string> {
    const id = await this.#drover.upload('knot', [{ externalId, next: [missing] }], { dependencyWaitTimeout: 3_600 });
    await this.#drover.waiting(id);
    // it registers, then checks, and registers again what it does not find
    const handle = this.#drover.services.client.workflow.getHandle(batchWorkflowId(id));
    await vi.waitFor(async () => {
      const { raw } = await handle.describe();
      expect([raw.pendingActivities, raw.pendingWorkflowTask]).toEqual([[], null]);
    }, 10_000);
    return id;
  }

  /** A resource that is changed as no attempt would. */
  #changed(kind: FaultKind, update: Document): Damage {
    const externalId = `changed-${kind.replaceAll(' ', '-')}`;
    return {
      kind,
      inflict: async () => {
        await this.#uploaded({ externalId: `${externalId}-target` }, { externalId, next: [`${externalId}-target`] });
        await this.#in('resources').updateOne({ _id: this.#key(externalId) }, update);
        return this.#key(externalId);
      },
    };
  }

  /** A batch that is over, and is changed as no attempt would. */
  #changedBatch(kind: FaultKind, update: Document): Damage {
    return {
      kind,
      inflict: async () => {
        const id = await this.#uploaded({ externalId: `of-${kind.replaceAll(' ', '-')}` });
        await this.#in('batches').updateOne({ _id: id }, update);
        return id;
      },
    };
  }

  /** A document that nobody has any use for. */
  #left(kind: FaultKind, collection: string, document: (batchId: string) => Stored): Damage {
    return {
      kind,
      inflict: async () => {
        const batchId = await this.#uploaded({ externalId: `with-${kind.replaceAll(' ', '-')}` });
        const left = document(batchId);
        await this.#in(collection).insertOne(left);
        return left._id;
      },
    };
  }

  async all(): Promise<Damage[]> {
    this.#schemaId = await this.#drover.define('knot', {
      next: { type: 'array', items: { $ref: 'reach:schemas/knot' } },
      n: { type: 'number' },
    });
    return [
      ...this.#ofResources(),
      ...(await this.#ofOutcomes()),
      ...this.#ofBatches(),
      ...this.#ofWaits(),
      ...this.#lefts(),
      ...this.#ofImports(),
    ];
  }

  #ofResources(): Damage[] {
    return [
      {
        kind: 'dangling reference',
        inflict: async () => {
          await this.#uploaded({ externalId: 'lost' }, { externalId: 'refers', next: ['lost'] });
          await this.#in('resources').deleteOne({ _id: this.#key('lost') });
          return this.#key('refers');
        },
      },
      this.#changed('references differ', { $set: { references: [] } }),
      this.#changed('wrong identity', { $set: { externalId: 'another' } }),
      this.#changed('wrong version', { $set: { updatedAt: LONG_AGO } }),
      this.#changed('wrong size', { $set: { bytes: 1 } }),
      this.#changed('left mark', { $set: { leaving: { batchId: OLD_ID, group: `${OLD_ID}/1/1/group` } } }),
      {
        kind: 'no schema definition',
        inflict: async () => {
          await this.#uploaded({ externalId: 'typed' });
          const typed = await this.#in('resources').findOne({ _id: this.#key('typed') });
          const _id = `default/default/${OLD_ID}/typed`;
          await this.#in('resources').insertOne({ ...typed, _id, schemaDefinitionId: OLD_ID, writes: [] });
          return _id;
        },
      },
      {
        kind: 'left placeholder',
        inflict: async () => {
          const _id = this.#key('placeholder');
          const fence = { token: 'an attempt', at: LONG_AGO };
          await this.#in('resources').insertOne({
            _id,
            hidden: 'fence',
            fence,
            references: [],
            writes: [],
            updatedAt: LONG_AGO,
          });
          return _id;
        },
      },
    ];
  }

  async #ofOutcomes(): Promise<Damage[]> {
    const effective = await this.#uploaded({ externalId: 'effect' });
    return [
      {
        kind: 'effect without outcome',
        alsoAt: ['counts differ', effective],
        inflict: async () => {
          const failed = { status: 'failed', errors: [{ code: 'internal', message: 'damage' }], attempts: 1 };
          await this.#in('outcome_pages').updateOne({ _id: `${effective}/0` }, { $set: { 'outcomes.0': failed } });
          return this.#key('effect');
        },
      },
      {
        kind: 'item without outcome',
        inflict: async () => {
          const id = await this.#uploaded({ externalId: 'invalid', n: 'no number' });
          await this.#in('outcome_pages').updateOne({ _id: `${id}/0` }, { $unset: { 'outcomes.0': '' } });
          return id;
        },
      },
      {
        kind: 'items lost',
        inflict: async () => {
          const id = await this.#uploaded({ externalId: 'whole' });
          await this.#in('item_pages').deleteOne({ _id: `${id}/0` });
          return id;
        },
      },
    ];
  }

  #ofBatches(): Damage[] {
    const running = { $set: { status: 'processing', total: 0 }, $unset: { result: '', completedAt: '' } };
    return [
      this.#changedBatch('counts differ', { $set: { 'result.counts.succeeded': 7, status: 'failed' } }),
      this.#changedBatch('left claims', { $set: { claimOwners: [OLD_ID] } }),
      this.#changedBatch('not removed', { $set: { deletedAt: LONG_AGO } }),
      this.#changedBatch('no workflow', running),
      // of a later run: that its first one was started is confirmed a moment later
      this.#changedBatch('not started', {
        ...running,
        $set: { ...running.$set, run: 2, unstarted: true, startDue: LONG_AGO },
      }),
    ];
  }

  #ofWaits(): Damage[] {
    return [
      {
        kind: 'not registered',
        inflict: async () => {
          const id = await this.#waiting('forgotten', 'never-there');
          await this.#in('waits').deleteMany({ batchId: id });
          return id;
        },
      },
      {
        kind: 'asleep',
        inflict: async () => {
          await this.#uploaded({ externalId: 'pattern' });
          const id = await this.#waiting('sleeper', 'appeared');
          const pattern = await this.#in('resources').findOne({ _id: this.#key('pattern') });
          const [_id, externalId] = [this.#key('appeared'), 'appeared'];
          const data = { externalId };
          const bytes = (pattern?.bytes as number) + externalId.length - 'pattern'.length;
          await this.#in('resources').insertOne({ ...pattern, _id, id: OLD_ID, externalId, data, bytes, writes: [] });
          return id;
        },
      },
      {
        kind: 'left claim',
        inflict: async () => {
          const over = await this.#uploaded({ externalId: 'claimed-once' });
          const id = await this.#waiting('claimed', 'not-there-yet');
          await this.#in('pending_items').updateOne({ _id: `${id}/0` }, { $set: { claim: over } });
          return `${id}/0`;
        },
      },
    ];
  }

  #lefts(): Damage[] {
    const key = this.#key('nobody');
    return [
      this.#left('left registration', 'waits', (batchId) => ({
        _id: `${batchId}/${key}`,
        key,
        batchId,
        token: 'a',
        run: 1,
      })),
      this.#left('left pending item', 'pending_items', (batchId) => ({
        _id: `${batchId}/0`,
        key,
        batchId,
        index: 0,
        missing: [],
        run: 1,
      })),
      this.#left('left list', 'key_lists', (batchId) => ({ _id: `${batchId}/0/list#0`, keys: [key], run: 1 })),
      this.#left('left intent', 'intents', (batchId) => ({
        _id: `batch-${batchId}/run/1/1/a#0`,
        attempt: 'a',
        batchId,
        schemaDefinitionIds: [],
        targets: [key],
        laidAt: new Date(),
      })),
      this.#left('left step', 'deletion_steps', (batchId) => ({
        _id: `${batchId}/1/1#000000`,
        step: 1,
        keys: [],
        items: [],
        reasons: [],
        decided: [],
        done: false,
      })),
      this.#left('left group', 'commits', () => ({ _id: 'old group', state: 'aborted', at: LONG_AGO })),
      this.#left('left page', 'item_pages', () => ({ _id: `${OLD_ID}/0`, ids: [] })),
      this.#left('left outcomes', 'outcome_pages', () => ({ _id: `${OLD_ID}/0`, outcomes: {} })),
      this.#left('left state', 'before_images', () => ({ _id: `${OLD_ID}/life/1`, batchId: OLD_ID, key })),
      this.#left('left content', 'import_chunks', () => ({ _id: `${OLD_ID}/1/upload/0`, bytes: Buffer.from('a') })),
      this.#left('left note', 'import_keys', () => ({ _id: `${OLD_ID}/${key}` })),
    ];
  }

  #ofImports(): Damage[] {
    return [
      {
        kind: 'import counts differ',
        inflict: async () => {
          const id = await started(this.#drover, { schema: 'knot' }, ndjson([{ externalId: 'row' }]));
          await importEnded(this.#drover, id);
          await this.#in('imports').updateOne({ _id: id }, { $set: { 'result.counts.failed': 3 } });
          return id;
        },
      },
      {
        kind: 'content lost',
        inflict: async () => {
          const id = await opened(this.#drover, { schema: 'knot' });
          await this.#drover.request('POST', `/api/imports/${id}/suspend`);
          await putPart(this.#drover, id, 1, ndjson([{ externalId: 'lost-row' }]));
          await seal(this.#drover, id, 1);
          await this.#in('import_chunks').deleteMany({ _id: { $gt: `${id}/`, $lt: `${id}0` } });
          return id;
        },
      },
    ];
  }
}
