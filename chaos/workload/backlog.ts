import { NoAnswerError } from '../record/errors.ts';
import type { Halt, SentRequest } from '../record/journal.ts';
import { maybeKey, pause, removeForGood, type Session, send } from './session.ts';
import { uniqueIds } from './waiting-actions.ts';

/** So many that more than a slice of them is written by a batch that does not stop. */
const ITEMS = 300;
/** Of the resources of a removed batch, one of so many is searched for. */
const SAMPLE_EVERY = 10;
/** Mean time until a batch is removed, in ms. */
const BEFORE_REMOVAL_MS = 600;
/** How often something is asked whose answer is lost. */
const TIMES_ASKED = 4;
/** Mean time that a batch stays suspended, in ms. */
const SUSPENDED_MS = 2_500;

/**
 * Some batches at once, of which all but the first wait for the others; each is suspended or cancelled at once, wherever it is.
 * What was done when the answer came, and what was done later, is written down.
 */
export async function haltBacklog(session: Session): Promise<void> {
  const requests = backlog(session);
  const ids = await Promise.all(requests.map((request) => send(session, request)));
  await Promise.all(ids.map((id) => (id === undefined ? undefined : halt(session, id))));
}

/** The same, and each is removed permanently: half of them after a moment in which some of it is written. */
export async function removeBacklog(session: Session): Promise<void> {
  const sent = backlog(session).map(async (request) => {
    const batchId = await send(session, request);
    if (batchId === undefined) return;
    if (session.random.chance(0.5)) await pause(session, BEFORE_REMOVAL_MS);
    await removeAndCount(session, request, batchId);
  });
  await Promise.all(sent);
}

function backlog(session: Session): SentRequest[] {
  const { make, random } = session;
  return Array.from({ length: random.integer(2, 4) }, () =>
    make.request({ operation: 'upload', kind: 'place', ...maybeKey(session, 0.2) }, (mark) =>
      uniqueIds(session, ITEMS).map((externalId, at) => ({
        externalId,
        body: make.body('place', externalId, `${mark}.${at}`, { references: {} }),
      })),
    ),
  );
}

async function removeAndCount(session: Session, request: SentRequest, batchId: string): Promise<void> {
  const { client, tenant } = session;
  const removal = await removeForGood(session, batchId);
  if (removal?.status !== 200) return;
  const ids = request.items.flatMap(({ externalId }, at) =>
    at % SAMPLE_EVERY === 0 && externalId ? [externalId] : [],
  );
  const isStored = (id: string) =>
    answerTo(session, async () => ({ found: (await client.resource(tenant, request.kind, id)) !== null }));
  const answers = await Promise.all(ids.map(isStored));
  if (answers.includes(null)) return;
  const done = answers.filter((answer) => answer?.found).length;
  removal.sample = { kind: request.kind, ids, every: SAMPLE_EVERY, done };
}

async function halt(session: Session, batchId: string): Promise<void> {
  const { client, random, tenant, journal } = session;
  const verb = random.chance(0.5) ? 'suspend' : 'cancel';
  const from = Date.now();
  try {
    if ((await answerTo(session, () => client.control(tenant, batchId, verb))) !== 200) return;
    const done = await succeeded(session, batchId);
    const note = (later: number | null): Halt => ({ tenant, batchId, verb, from, to: Date.now(), done, later });
    if (verb === 'cancel') journal.halts.push(note(null));
    else {
      await pause(session, SUSPENDED_MS);
      journal.halts.push(note(await succeeded(session, batchId)));
    }
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
  }
  if (verb === 'suspend') await client.control(tenant, batchId, 'resume');
}

/** Repeats the request if its answer is lost: the second one is a 200 without effect. */
async function answerTo<T>(session: Session, ask: () => Promise<T | null>): Promise<T | null> {
  for (let time = 0; time < TIMES_ASKED && !session.stopped.aborted; time++) {
    const answer = await ask().catch((error: unknown) => {
      if (error instanceof NoAnswerError) return null;
      throw error;
    });
    if (answer !== null) return answer;
    await pause(session, 400);
  }
  return null;
}

/** @throws NoAnswerError */
async function succeeded(session: Session, batchId: string): Promise<number> {
  const { client, tenant } = session;
  const items = await answerTo(session, () => client.items(tenant, batchId));
  if (items === null) throw new NoAnswerError(`items of ${batchId}`);
  return items.filter(({ status }) => status === 'succeeded').length;
}
