import * as everyday from './actions.ts';
import { haltBacklog } from './backlog.ts';
import * as races from './races.ts';
import { pause, type Session } from './session.ts';
import * as waiting from './waiting-actions.ts';

const ACTIONS = { ...pick(everyday), ...races, ...pickWaiting(waiting), haltBacklog };
export type ActionName = keyof typeof ACTIONS;
export type Workload = Readonly<Partial<Record<ActionName, number>>>;

function pick({
  upload,
  uploadRejecting,
  patch,
  deleteSome,
  deleteCascading,
  deleteAll,
  suspendAndResume,
  cancel,
  retry,
  changeDefinition,
}: typeof everyday) {
  return {
    upload,
    uploadRejecting,
    patch,
    deleteSome,
    deleteCascading,
    deleteAll,
    suspendAndResume,
    cancel,
    retry,
    changeDefinition,
  };
}

function pickWaiting({ uploadWaiting, chain, cycle }: typeof waiting) {
  return { uploadWaiting, chain, cycle };
}

/** What clients do, and how often. */
export const EVERYTHING: Workload = {
  upload: 20,
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
  deleteAgainstReferences: 6,
  waitAgainstCreation: 5,
  patchesAtOnce: 4,
  rejectingOnce: 3,
  scramble: 5,
  haltBacklog: 5,
  changeDefinition: 1,
};

/** Mean time between two actions of one client, in ms. */
const THINK_MS = 120;

/** One client: acts, thinks, acts again, until told to stop. It holds back while more than `maxOpen` batches are open. */
export async function actAtRandom(session: Session, workload: Workload, maxOpen: number): Promise<void> {
  while (!session.stopped.aborted) {
    await pause(session, THINK_MS);
    if (session.stopped.aborted) return;
    if (session.observer.openCount > maxOpen) continue;
    await ACTIONS[session.random.weighted(workload)](session);
  }
}
