import {
  cancel,
  changeDefinition,
  deleteAll,
  deleteCascading,
  deleteSome,
  patch,
  remove,
  retry,
  suspendAndResume,
  undo,
  upload,
  uploadLater,
  uploadRejecting,
} from './actions.ts';
import { haltBacklog, removeBacklog } from './backlog.ts';
import { controlImport, importInParts, importWhole, removeImport, undoImport } from './import-actions.ts';
import * as races from './races.ts';
import { pause, type Session } from './session.ts';
import { chain, cycle, uploadWaiting } from './waiting-actions.ts';

const ACTIONS = {
  upload,
  uploadLater,
  uploadRejecting,
  patch,
  deleteSome,
  deleteCascading,
  deleteAll,
  suspendAndResume,
  cancel,
  retry,
  remove,
  undo,
  changeDefinition,
  ...races,
  uploadWaiting,
  chain,
  cycle,
  haltBacklog,
  removeBacklog,
  importWhole,
  importInParts,
  controlImport,
  removeImport,
  undoImport,
};
type ActionName = keyof typeof ACTIONS;
export type Workload = Readonly<Partial<Record<ActionName, number>>>;

/** What clients do, and how often. */
export const EVERYTHING: Workload = {
  upload: 20,
  uploadLater: 3,
  uploadRejecting: 6,
  uploadWaiting: 8,
  patch: 14,
  deleteSome: 6,
  deleteCascading: 3,
  deleteAll: 0.3,
  chain: 3,
  cycle: 4,
  suspendAndResume: 3,
  cancel: 2,
  retry: 3,
  undo: 10,
  deleteAgainstReferences: 6,
  waitAgainstCreation: 5,
  patchesAtOnce: 4,
  rejectingOnce: 3,
  scramble: 5,
  haltBacklog: 4,
  removeBacklog: 3,
  remove: 1,
  changeDefinition: 4,
  importWhole: 4,
  importInParts: 4,
  controlImport: 4,
  removeImport: 0.6,
  undoImport: 4,
};

export const actionsOf = (workload: Workload): ActionName[] => Object.keys(workload) as ActionName[];

/** Mean time between two actions of one client, in ms. */
const THINK_MS = 120;

/** How often a client does next what no client has done yet: however rare, every action belongs to a run. */
const NOT_YET_DONE = 0.15;

/** One client: an action, a pause, the next action, until `stopped`. It pauses while more than `maxOpen` batches are open. */
export async function actAtRandom(session: Session, workload: Workload, maxOpen: number): Promise<void> {
  const { random, journal } = session;
  while (!session.stopped.aborted) {
    await pause(session, THINK_MS);
    if (session.stopped.aborted) return;
    if (session.observer.openCount > maxOpen) continue;
    const notYet = actionsOf(workload).filter((name) => journal.actions[name] === undefined);
    const action = notYet.length > 0 && random.chance(NOT_YET_DONE) ? random.pick(notYet) : random.weighted(workload);
    journal.actions[action] = (journal.actions[action] ?? 0) + 1;
    await ACTIONS[action](session);
  }
}
