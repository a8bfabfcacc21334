import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../../activities/activity-context.ts';
import { batchesIn } from '../../../store/batches/batches.ts';
import { resourcesIn } from '../../../store/resources.ts';
import { Drover, spawnWorker } from '../../harness/drover.ts';
import { waitsOf } from '../../harness/left-behind.ts';
import { Tenant } from '../../harness/tenant.ts';

const WAIT = { dependencyWaitTimeout: 600 };
const NODE = { next: { type: 'array', items: { $ref: 'reach:schemas/node' } } };
const node = (externalId: string, ...next: string[]) => ({ externalId, next });

/** Where an attempt of an activity stops for good, and the batches of the test. */
interface Death {
  readonly checkpoint: Checkpoint;
  readonly nth?: number;
  /** Batches that wait before that; the others arrive then. */
  readonly resting: readonly (readonly object[])[];
  readonly arriving: readonly (readonly object[])[];
}

const DEATHS = {
  'before it reads': {
    checkpoint: 'intent-laid',
    resting: [],
    arriving: [[node('a', 'b'), node('b', 'a'), node('c')]],
  },
  'with a cycle decided and not written': {
    checkpoint: 'checked',
    resting: [],
    arriving: [[node('a', 'b'), node('b', 'a'), node('c')]],
  },
  'with everything written and no outcome stored': {
    checkpoint: 'written',
    resting: [],
    arriving: [[node('a', 'b'), node('b', 'a')]],
  },
  'before a pending item is registered': {
    checkpoint: 'outcomes-stored',
    resting: [],
    arriving: [[node('a', 'b')], [node('b')]],
  },
  'between registration and check': {
    checkpoint: 'registered',
    resting: [],
    arriving: [[node('a', 'b')], [node('b')]],
  },
  'at the check': { checkpoint: 'references-checked', resting: [[node('a', 'b')]], arriving: [[node('b')]] },
  'between writing and waking batches that wait': {
    checkpoint: 'outcomes-stored',
    resting: [[node('a', 'b')], [node('z', 'a')]],
    arriving: [[node('b')]],
  },
  'with a woken item applied': { checkpoint: 'written', nth: 2, resting: [[node('a', 'b')]], arriving: [[node('b')]] },
  'with the members of a cycle claimed': {
    checkpoint: 'claimed',
    resting: [[node('a', 'b')]],
    arriving: [[node('b', 'a'), node('c', 'b')]],
  },
  'with the members of a cycle applied': {
    checkpoint: 'written',
    nth: 2,
    resting: [[node('a', 'b')]],
    arriving: [[node('b', 'a')]],
  },
  'before batches that wait for a cycle are signalled': {
    checkpoint: 'outcomes-stored',
    nth: 2,
    resting: [[node('a', 'b')], [node('z', 'a')]],
    arriving: [[node('b', 'a')]],
  },
} as const satisfies Record<string, Death>;

async function expectOneEffectEach(
  drover: Drover,
  tenant: Tenant,
  { resting, arriving }: Death,
  ids: readonly string[],
): Promise<void> {
  const batches: readonly (readonly object[])[] = [...resting, ...arriving];
  for (const [at, id] of ids.entries()) {
    const size = batches[at]?.length ?? 0;
    expect(await tenant.ended(id)).toMatchObject({
      status: 'success',
      counts: { succeeded: size },
      actions: { created: size, updated: 0, unchanged: 0 },
    });
  }
  const ofTenant = {
    _id: { $gt: `default/${encodeURIComponent(tenant.tenant)}/`, $lt: `default/${encodeURIComponent(tenant.tenant)}0` },
  };
  const stored = await resourcesIn(drover.services.database).find(ofTenant).toArray();
  expect(stored).toHaveLength(batches.flat().length);
  for (const { version, hidden } of stored) expect([version, hidden]).toEqual([1, undefined]);
  expect(await waitsOf(drover.services.database, tenant.tenant)).toEqual([]);
}

/** Uploads the resting batches, waits until they wait, calls `begin`, which sets the death, then uploads the others. @returns all ids. */
async function play(tenant: Tenant, { resting, arriving }: Death, begin: () => Promise<void>): Promise<string[]> {
  const ids: string[] = [];
  for (const batch of resting) ids.push(await tenant.upload('node', batch, WAIT));
  for (const id of ids) await tenant.waiting(id);
  await begin();
  for (const batch of arriving) ids.push(await tenant.upload('node', batch, WAIT));
  return ids;
}

describe('an attempt that stops for good', () => {
  let drover: Drover;
  const stopped: (() => void)[] = [];
  beforeAll(async () => {
    drover = await Drover.start({ environment: { ACTIVITY_TIMEOUT_SECONDS: '4' } });
    await drover.define('node', NODE);
  });
  afterAll(() => drover.stop());

  test('leaves every item one outcome and one effect, wakes every batch that waits, and does no harm when it continues late', async () => {
    const tenants = new Map<string, { death: Death; passes: number }>();
    const tenantOf = new Map<string, Promise<string>>();
    drover.atCheckpoint(async (at, batchId) => {
      if (!tenantOf.has(batchId))
        tenantOf.set(
          batchId,
          batchesIn(drover.services.database)
            .findOne({ _id: batchId })
            .then((batch) => batch?.tenant ?? ''),
        );
      const scene = tenants.get((await tenantOf.get(batchId)) ?? '');
      if (scene?.death.checkpoint !== at) return;
      scene.passes += 1;
      if (scene.passes === (scene.death.nth ?? 1)) await new Promise<void>((resolve) => stopped.push(resolve));
    });
    const scenes = await Promise.all(
      Object.entries(DEATHS).map(async ([when, death]) => {
        const tenant = new Tenant(drover);
        const ids = await play(tenant, death, async () => {
          tenants.set(tenant.tenant, { death, passes: 0 });
        });
        return { when, death, tenant, ids };
      }),
    );
    for (const { death, tenant, ids } of scenes) await expectOneEffectEach(drover, tenant, death, ids);
    expect(stopped).toHaveLength(scenes.length);
    for (const goOn of stopped) goOn();
    // the stopped attempts end before the worker does
    await drover.stopWorker();
    for (const { death, tenant, ids } of scenes) await expectOneEffectEach(drover, tenant, death, ids);
  }, 90_000);
});

describe.concurrent('a worker killed', () => {
  const killed = [
    'between registration and check',
    'at the check',
    'between writing and waking batches that wait',
    'with the members of a cycle claimed',
  ] as const;
  test.each(killed)(
    '%s leaves every item one outcome and one effect, and wakes every batch that waits',
    async (when) => {
      const death: Death = DEATHS[when];
      const drover = await Drover.start({ worker: false, environment: { ACTIVITY_TIMEOUT_SECONDS: '4' } });
      const tenant = new Tenant(drover);
      await drover.define('node', NODE);
      if (death.resting.length > 0) await drover.startWorker();
      let ended: Promise<unknown> = Promise.resolve();
      const ids = await play(tenant, death, async () => {
        await drover.stopWorker();
        ({ ended } = await spawnWorker(drover, { checkpoint: death.checkpoint, nth: death.nth ?? 1 }));
      });
      await ended;
      await drover.startWorker();
      await expectOneEffectEach(drover, tenant, death, ids);
      await drover.stop();
    },
    90_000,
  );

  test('in the middle of a thousand items leaves every item with one outcome and one effect', async () => {
    const drover = await Drover.start({ worker: false, environment: { RESOURCES_PER_ACTIVITY: '300' } });
    await drover.define('country', { name: { type: 'string' } });
    const dying = await spawnWorker(drover, { checkpoint: 'inserted', nth: 3 });
    const id = await drover.upload(
      'country',
      Array.from({ length: 1000 }, (_, n) => ({ externalId: `r${n}`, name: `R${n}` })),
    );
    await dying.ended;
    await drover.startWorker();
    const batch = await drover.ended(id);
    expect(batch).toMatchObject({ counts: { succeeded: 1000, queued: 0 }, actions: { created: 1000, updated: 0 } });
    const stored = await resourcesIn(drover.services.database)
      .find({}, { projection: { version: 1 } })
      .toArray();
    expect(stored).toHaveLength(1000);
    expect(stored.every((resource) => resource.version === 1)).toBe(true);
    await drover.stop();
  }, 90_000);
});
