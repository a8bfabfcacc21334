import { isTerminal } from '../../domain/batch/batch.ts';
import { DAY_MS } from '../../domain/clocks.ts';
import { scanSteps } from '../../isolation/deletes/deletion-steps.ts';
import { removeDeletionPlan } from '../../isolation/deletes/step-groups.ts';
import { unneededGroups } from '../../isolation/groups/forget-groups.ts';
import { forgetGroups, scanGroups } from '../../isolation/groups/groups.ts';
import { removeIntents, scanIntents } from '../../isolation/intents/intents.ts';
import { type BatchState, batchStates } from '../../store/batches/scan-batches.ts';
import { withoutBatch } from '../../store/batches/without-batch.ts';
import { removeContent, scanChunks, scanParts } from '../../store/imports/import-content.ts';
import { removeImportKeys, scanImportKeys } from '../../store/imports/import-keys.ts';
import { scanImports } from '../../store/imports/imports.ts';
import { removeSomeImages, scanImages } from '../../store/items/before-images.ts';
import { removePages, scanItemPages } from '../../store/items/item-pages.ts';
import { removeListParts, scanLists } from '../../store/items/key-lists.ts';
import { removeOutcomes, scanOutcomePages } from '../../store/items/outcomes.ts';
import { scanPendingItems } from '../../store/items/pending-documents.ts';
import { batchOfClaim, dropClaims, dropPending, isValidClaim } from '../../store/items/pending-items.ts';
import { removeWaits, scanWaits } from '../../store/items/waits.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { Scan } from '../../store/mongodb/scan.ts';
import { type Check, checkOf, type FaultKind, idsOf, type Suspicion } from './check.ts';

/** Age from which pages without a batch, or content without an import, are none that is just being written, in ms. */
const OLD_MS = 2 * 60 * 60 * 1000;
/** Age from which recovery should have removed the decision on a group, in ms: it keeps them for a week. */
const OLD_GROUP_MS = 8 * DAY_MS;

/** What attempts that died, and batches and imports that are over or gone, have left. */
export const leftoverChecks = (database: Database): readonly Check[] => [
  checkRegistrations(database),
  checkPendingItems(database),
  checkOfBatches(database, scanLists(database), 'left list', isOver, (ids) => removeListParts(database, ids)),
  checkOfBatches(database, scanIntents(database), 'left intent', isOver, (ids) => removeIntents(database, ids)),
  checkSteps(database),
  checkGroups(database),
  checkItemPages(database),
  checkOfBatches(database, scanOutcomePages(database), 'left outcomes', isGone, (ids) => removeOutcomes(database, ids)),
  checkOfBatches(database, scanImages(database), 'left state', isGone, (ids) => removeSomeImages(database, ids)),
  checkOfImports(database, scanChunks(database), 'left content', removeContent),
  checkOfImports(database, scanParts(database), 'left content', removeContent),
  checkOfImports(database, scanImportKeys(database), 'left note', removeImportKeys),
];

/** The batch or import that a document is named after; an intent names its batch. */
const ownerOf = ({ _id, batchId }: { readonly _id: string; readonly batchId?: string }): string =>
  batchId ?? _id.slice(0, _id.indexOf('/'));

/** When a UUID of version 7 was made: its first 12 digits are the time in ms. Anything else is old. */
function isOldId(id: string): boolean {
  const madeAt = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
  return !(Date.now() - madeAt < OLD_MS);
}

/** Whether a batch needs nothing any more of what its activities note while they work. */
const isOver = (batch: BatchState | undefined): boolean => batch === undefined || isTerminal(batch.status);
/** Whether there was never a batch, or it has been removed. */
const isGone = (batch: BatchState | undefined, id: string): boolean => batch === undefined && isOldId(id);

const whyLeft = (batch: BatchState | undefined): string =>
  batch === undefined ? 'there is no such batch' : `its batch is ${batch.status}`;

/** Documents that belong to batches, one after the other as they were stored: none is written again under its name. */
function checkOfBatches<D extends { readonly _id: string; readonly batchId?: string }>(
  database: Database,
  scan: Scan<D>,
  kind: FaultKind,
  isLeft: (batch: BatchState | undefined, batchId: string) => boolean,
  remove: (ids: readonly string[]) => Promise<void>,
): Check {
  const suspicionsIn = async (page: readonly D[]): Promise<Suspicion[]> => {
    const batches = await batchStates(database, page.map(ownerOf));
    return page.flatMap((document): Suspicion[] => {
      const batch = batches.get(ownerOf(document));
      if (!isLeft(batch, ownerOf(document))) return [];
      return [{ kind, id: document._id, state: String(batch?.run ?? ''), detail: whyLeft(batch) }];
    });
  };
  return checkOf(scan, suspicionsIn, { [kind]: (found: readonly Suspicion[]) => remove(idsOf(found)) });
}

/** Registrations of batches that wait for nothing any more; one that is renewed has another token. */
function checkRegistrations(database: Database): Check {
  const scan = scanWaits(database);
  return checkOf(
    scan,
    async (page) => {
      const batches = await batchStates(database, page.map(ownerOf));
      return page.flatMap(({ _id, batchId, token }): Suspicion[] => {
        const batch = batches.get(batchId);
        return isOver(batch) ? [{ kind: 'left registration', id: _id, state: token, detail: whyLeft(batch) }] : [];
      });
    },
    {
      'left registration': async (found) => {
        const tokens = new Map(found.map(({ id, state }) => [id, state]));
        for await (const page of scan.again(idsOf(found)))
          await removeWaits(
            database,
            page.filter(({ _id, token }) => tokens.get(_id) === token),
          );
      },
    },
  );
}

/** Pending items of batches that are over, and claims that no batch releases. */
function checkPendingItems(database: Database): Check {
  const scan = scanPendingItems(database);
  return checkOf(
    scan,
    async (page) => {
      const claiming = page.flatMap(({ claim }) => (claim === undefined ? [] : [batchOfClaim(claim)]));
      const batches = await batchStates(database, [...page.map(ownerOf), ...claiming]);
      return page.flatMap((item): Suspicion[] => {
        const { _id: id, claim, run = 0 } = item;
        const batch = batches.get(item.batchId);
        if (isOver(batch)) return [{ kind: 'left pending item', id, state: String(run), detail: whyLeft(batch) }];
        if (claim === undefined || isValidClaim(item, batches)) return [];
        return [{ kind: 'left claim', id, state: claim, detail: `of batch ${batchOfClaim(claim)}` }];
      });
    },
    {
      'left pending item': async (found) => {
        const runs = new Map(found.map(({ id, state }) => [id, state]));
        // one that a later run has registered since belongs to that run
        for await (const page of scan.again(idsOf(found)))
          await dropPending(
            database,
            page.filter(({ _id, run = 0 }) => runs.get(_id) === String(run)),
          );
      },
      'left claim': (found) =>
        dropClaims(
          database,
          found.map(({ id, state }) => ({ _id: id, claim: state })),
        ),
    },
  );
}

/** Plans of deletes that are over. They are removed as the end of the batch does it: marks first, then what decides about them. */
function checkSteps(database: Database): Check {
  const check = checkOfBatches(database, scanSteps(database), 'left step', isOver, async (ids) => {
    const batches = await batchStates(database, ids.map(ofId));
    for (const batchId of new Set(ids.map(ofId))) {
      const batch = batches.get(batchId);
      if (isOver(batch)) await removeDeletionPlan(database, batchId, batch?.run);
    }
  });
  return check;
}

const ofId = (id: string): string => ownerOf({ _id: id });

const idsOfGroups = (groups: readonly { readonly _id: string }[]): string[] => groups.map(({ _id }) => _id);

function checkGroups(database: Database): Check {
  return checkOf(
    scanGroups(database),
    async (page) => {
      const old = page.filter(({ at }) => Date.now() - at.getTime() > OLD_GROUP_MS);
      const unneeded = new Set(await unneededGroups(database, idsOfGroups(old)));
      return old
        .filter(({ _id }) => unneeded.has(_id))
        .map(({ _id, at }) => ({ kind: 'left group', id: _id, state: '', detail: `decided at ${at.toISOString()}` }));
    },
    { 'left group': async (found) => forgetGroups(database, await unneededGroups(database, idsOf(found))) },
  );
}

/** Pages of batches that were never accepted, or are removed. */
function checkItemPages(database: Database): Check {
  return checkOf(
    scanItemPages(database),
    async (page) => {
      const old = page.map(ownerOf).filter(isOldId);
      const gone = await withoutBatch(database, old);
      return page
        .filter((document) => gone.has(ownerOf(document)))
        .map(({ _id }) => ({ kind: 'left page', id: _id, state: '', detail: whyLeft(undefined) }));
    },
    { 'left page': (found) => removePages(database, idsOf(found)) },
  );
}

/** Content, and notes, of imports that are removed. */
function checkOfImports(
  database: Database,
  scan: Scan<{ readonly _id: string }>,
  kind: FaultKind,
  remove: (database: Database, importId: string) => Promise<void>,
): Check {
  const suspicionsIn = async (page: readonly { readonly _id: string }[]): Promise<Suspicion[]> => {
    const owners = [...new Set(page.map(ownerOf))].filter(isOldId);
    const there = new Set<string>();
    for await (const some of scanImports(database).again(owners)) for (const { _id } of some) there.add(_id);
    const gone = new Set(owners.filter((id) => !there.has(id)));
    return page
      .filter((document) => gone.has(ownerOf(document)))
      .map(({ _id }) => ({ kind, id: _id, state: '', detail: 'there is no such import' }));
  };
  return checkOf(scan, suspicionsIn, {
    [kind]: async (found: readonly Suspicion[]) => {
      for (const importId of new Set(idsOf(found).map(ofId))) await remove(database, importId);
    },
  });
}
