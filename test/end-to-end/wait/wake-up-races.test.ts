import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../../activities/activity-context.ts';
import type { BatchSummary } from '../../../domain/batch/batch.ts';
import { batchWorkflowId, dependenciesAvailableSignal } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';
import { withTimeForResult } from '../../harness/left-behind.ts';
import { Tenant } from '../../harness/tenant.ts';

/**
 * Whole batches, brought into the orders that matter; test/activities/wait/wake-up-races.test.ts tests far more orders.
 * Each test forces one interleaving on this many pairs of items side by side (a batch runs 3 activities at a time). */
const PAIRS = 3;
const PLAYS = 10;
const WAIT = { dependencyWaitTimeout: 600 };

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({
    environment: { RESOURCES_PER_ACTIVITY: '1', ACTIVITY_TIMEOUT_SECONDS: '60' },
  });
  await drover.define('country', {});
  await drover.define('city', { country: { $ref: 'reach:schemas/country' } });
  await drover.define('node', { next: { $ref: 'reach:schemas/node' } });
  drover.atCheckpoint((at, batchId) => Script.of(batchId).pass(at));
});
afterAll(() => drover.stop());

class Gate {
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

/** Where the activities of one batch stop until they are released. The activities of a batch that has no script yet wait for it. */
class Script {
  static readonly #scripts = new Map<string, Script>();
  readonly #known = new Gate();
  readonly #release = new Gate();
  readonly #all = new Gate();
  #stopAt: Checkpoint | undefined;
  #expected = 0;
  #stopped = 0;

  static of(batchId: string): Script {
    const script = Script.#scripts.get(batchId) ?? new Script();
    Script.#scripts.set(batchId, script);
    return script;
  }

  /** Expects `expected` activities to stop at a checkpoint; without a checkpoint none stops. */
  begin(expected: number, stopAt?: Checkpoint): this {
    this.#expected = expected;
    this.#stopAt = stopAt;
    this.#known.open();
    return this;
  }

  async pass(at: Checkpoint): Promise<void> {
    await this.#known.opened;
    if (at !== this.#stopAt) return;
    this.#stopped += 1;
    if (this.#stopped === this.#expected) this.#all.open();
    await this.#release.opened;
  }

  get stopped(): Promise<void> {
    return this.#all.opened;
  }

  release(): void {
    this.#release.open();
  }
}

const names = Array.from({ length: PAIRS }, (_, n) => `${n}`);
const cities = names.map((name) => ({ externalId: name, country: name }));
const countries = names.map((name) => ({ externalId: name }));

async function begin(
  tenant: Tenant,
  schema: string,
  resources: readonly object[],
  stopAt?: Checkpoint,
): Promise<{ id: string; script: Script }> {
  const id = await tenant.upload(schema, resources, WAIT);
  return { id, script: Script.of(id).begin(resources.length, stopAt) };
}

/** Waits for the results without status queries, which would be work for the worker. */
async function expectApplied(...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const handle = drover.services.client.workflow.getHandle<() => Promise<BatchSummary>>(batchWorkflowId(id));
    expect(await withTimeForResult(drover, () => handle.result())).toMatchObject({
      status: 'success',
      counts: { pending: 0 },
    });
  }
}

/** Runs several tests at a time: of the 12 activities that this worker runs, the stopped ones leave room for the others. */
async function plays(count: number, atOnce: number, play: (tenant: Tenant) => Promise<void>): Promise<void> {
  const tenants = Array.from({ length: count }, () => new Tenant(drover));
  const runNext = async (): Promise<void> => {
    for (let tenant = tenants.pop(); tenant !== undefined; tenant = tenants.pop()) await play(tenant);
  };
  await Promise.all(Array.from({ length: atOnce }, runNext));
}

describe('no wake-up is lost if the missing resource is created', () => {
  test('after the check of the waiting item, and before its registration', async () => {
    await plays(PLAYS, 2, async (tenant) => {
      const waiting = await begin(tenant, 'city', cities, 'checked');
      await waiting.script.stopped;
      await expectApplied((await begin(tenant, 'country', countries)).id);
      waiting.script.release();
      await expectApplied(waiting.id);
    });
  }, 120_000);

  test('after the registration of the waiting item, and before its second check', async () => {
    await plays(PLAYS, 2, async (tenant) => {
      const waiting = await begin(tenant, 'city', cities, 'registered');
      await waiting.script.stopped;
      await expectApplied((await begin(tenant, 'country', countries)).id);
      waiting.script.release();
      await expectApplied(waiting.id);
    });
  }, 120_000);

  test('and its creator stops between writing and reading the registrations, while the item registers and checks', async () => {
    await plays(PLAYS, 1, async (tenant) => {
      const waiting = await begin(tenant, 'city', cities, 'checked');
      await waiting.script.stopped;
      const creating = await begin(tenant, 'country', countries, 'outcomes-stored');
      await creating.script.stopped;
      waiting.script.release();
      // its own check finds the resource
      await expectApplied(waiting.id);
      creating.script.release();
      await expectApplied(creating.id);
    });
  }, 120_000);

  test('by a creator that has read the registrations before, while the item checked too early and began to wait', async () => {
    await plays(PLAYS, 2, async (tenant) => {
      const creating = await begin(tenant, 'country', countries, 'checked');
      await creating.script.stopped;
      const waiting = await begin(tenant, 'city', cities);
      await drover.until(waiting.id, (batch) => batch.counts.pending === PAIRS, tenant);
      creating.script.release();
      await expectApplied(creating.id, waiting.id);
    });
  }, 120_000);
});

describe('a cycle of two batches is found', () => {
  test('if both register before either checks', async () => {
    await plays(PLAYS, 2, async (tenant) => {
      const first = await begin(tenant, 'node', [{ externalId: 'a', next: 'b' }], 'registered');
      const second = await begin(tenant, 'node', [{ externalId: 'b', next: 'a' }], 'registered');
      await Promise.all([first.script.stopped, second.script.stopped]);
      first.script.release();
      second.script.release();
      await expectApplied(first.id, second.id);
    });
  }, 120_000);

  test('if one claims its members while the other checks', async () => {
    await plays(PLAYS, 2, async (tenant) => {
      const first = await begin(tenant, 'node', [{ externalId: 'a', next: 'b' }], 'claimed');
      const second = await begin(tenant, 'node', [{ externalId: 'b', next: 'a' }], 'claimed');
      await Promise.race([first.script.stopped, second.script.stopped]);
      for (const { id } of [first, second]) {
        await drover.services.client.workflow.getHandle(batchWorkflowId(id)).signal(dependenciesAvailableSignal, []);
      }
      first.script.release();
      second.script.release();
      await expectApplied(first.id, second.id);
      for (const name of ['a', 'b']) expect((await tenant.stored('node', name))?.versionNumber).toBe(1);
    });
  }, 120_000);
});
