import { DAY_MS } from '../../domain/clocks.ts';
import { removeOldPlaceholders } from '../../isolation/attempts/fences.ts';
import { forgetOldGroups } from '../../isolation/groups/forget-groups.ts';
import { resolveSomeMarks } from '../../isolation/groups/resolve-marks.ts';
import { removeStaleIntents } from '../../isolation/intents/intents.ts';
import { insertBoundBatch } from '../../services/batches/accept-batch.ts';
import { finishDefinitions } from '../../services/definitions/finish-changes.ts';
import { recordInserted, removeOldKeys, uninsertedBindings } from '../../store/batches/idempotency-keys.ts';
import { removeOrphanedPages } from '../../store/migrations/orphaned-pages.ts';
import { isOver, NOTHING_DONE, type RecoveryJob } from './job.ts';

/*
 * The jobs of recovery for documents in MongoDB that processes which died have left unfinished, or that are kept no longer: bound
 * keys without a batch, changes of schema definitions, intents, marks, placeholders, groups and pages. Batches have jobs of their own.
 */

/** Time in which an accepting API process gets from one of its writes to the next, in ms. */
const IN_FLIGHT_MS = 5_000;
/** Longer than a resource stays uncommitted or marked. */
const GROUPS_KEPT_MS = 7 * DAY_MS;
/** Longer than writing the pages of a batch takes. */
const ORPHANED_AFTER_MS = 60 * 60 * 1000;
/** Documents of one portion. */
const PER_PORTION = 1_000;
const MINUTE_MS = 60_000;
const INTENTS = 'intents';

/** Inserts batches whose key is bound and whose sender died before it inserted them; starting them is another job. */
export const insertBound: RecoveryJob = {
  name: 'insert',
  everyMs: 5_000,
  run: async (portion) => {
    const { database } = portion.context;
    const bindings = await uninsertedBindings(database, new Date(Date.now() - IN_FLIGHT_MS), PER_PORTION);
    let inserted = 0;
    for (const binding of bindings) {
      if (isOver(portion)) return { recovered: { inserted }, hasMore: false };
      const batch = await insertBoundBatch(database, binding);
      await recordInserted(database, [binding._id]);
      if (batch?.unstarted) inserted += 1;
    }
    return { recovered: { inserted }, hasMore: bindings.length === PER_PORTION };
  },
};

/** Repairs schema definitions whose change or deletion was left half done. */
export const repairDefinitions: RecoveryJob = {
  name: 'definitions',
  everyMs: 15_000,
  run: async ({ context }) => {
    await finishDefinitions(context);
    return NOTHING_DONE;
  },
};

/** Keys after their retention: MongoDB removes them by itself, the embedded server does not. */
export const expireKeys: RecoveryJob = {
  name: 'keys',
  everyMs: MINUTE_MS,
  run: async ({ context }) => ({
    recovered: {},
    hasMore: (await removeOldKeys(context.database, PER_PORTION)) === PER_PORTION,
  }),
};

/** Intents of batches that are over. */
export const removeIntents: RecoveryJob = {
  name: 'intents',
  everyMs: MINUTE_MS,
  run: async ({ context, places }) => {
    const next = await removeStaleIntents(context.database, places.get(INTENTS) ?? '', PER_PORTION);
    if (next === null) places.delete(INTENTS);
    else places.set(INTENTS, next);
    return { recovered: {}, hasMore: next !== null };
  },
};

/** Marks and uncommitted resources that no activity has met since their attempt ended, or that landed after that. */
export const resolveMarks: RecoveryJob = {
  name: 'marks',
  everyMs: MINUTE_MS,
  run: async ({ context: { database } }) => {
    await resolveSomeMarks(database, PER_PORTION);
    return NOTHING_DONE;
  },
};

/** Placeholders that held the keys of resources while a command of an ended attempt could still land. */
export const removePlaceholders: RecoveryJob = {
  name: 'placeholders',
  everyMs: MINUTE_MS,
  run: async ({ context }) => {
    await removeOldPlaceholders(context.database);
    return NOTHING_DONE;
  },
};

/** Decisions on groups whose members have been resolved long ago. */
export const forgetGroups: RecoveryJob = {
  name: 'groups',
  everyMs: MINUTE_MS,
  run: async ({ context }) => {
    const before = new Date(Date.now() - GROUPS_KEPT_MS);
    return { recovered: {}, hasMore: (await forgetOldGroups(context.database, before, PER_PORTION)) === PER_PORTION };
  },
};

/** Pages of batches that were never accepted. */
export const removeOrphans: RecoveryJob = {
  name: 'pages',
  everyMs: MINUTE_MS,
  run: async ({ context }) => {
    const before = new Date(Date.now() - ORPHANED_AFTER_MS);
    const { removed, hasMore } = await removeOrphanedPages(context.database, before);
    return { recovered: { removed }, hasMore };
  },
};
