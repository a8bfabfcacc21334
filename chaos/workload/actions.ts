import type { SentItem, SentRequest } from '../record/journal.ts';
import { changedSchema, kindOf } from './definitions.ts';
import { maybeKey, pause, removeForGood, type Session, send } from './session.ts';

/** Everyday requests of clients. Each action sends some and returns; it does not wait for their batches. */

/** Items of one chunk mostly, of several now and then. */
const itemCount = ({ random }: Session): number =>
  random.chance(0.08) ? random.integer(60, 120) : random.integer(1, 10);

/** Some batches can be undone. */
const maybeUndoable = ({ random }: Session): SentRequest['options'] => (random.chance(0.3) ? { undoable: true } : {});

export async function upload(session: Session): Promise<void> {
  await send(session, anUpload(session, { onconflict: 'upsert', ...maybeUndoable(session) }));
}

/** Begins some seconds later; now and then it is cancelled or removed before. */
export async function uploadLater(session: Session): Promise<void> {
  const { client, random, tenant } = session;
  const startAt = new Date(Date.now() + random.integer(1_000, 8_000)).toISOString();
  const batchId = await send(session, anUpload(session, { onconflict: 'upsert', startAt }));
  if (batchId === undefined || random.chance(0.6)) return;
  await pause(session, 500);
  if (random.chance(0.5)) await client.control(tenant, batchId, 'cancel');
  else await removeForGood(session, batchId);
}

export async function uploadRejecting(session: Session): Promise<void> {
  await send(session, anUpload(session, { onconflict: 'reject' }));
}

/** Items refer to what is there, and to each other: chains, cycles, themselves. */
function anUpload(session: Session, options: SentRequest['options']): SentRequest {
  const { make, random } = session;
  const kind = make.kind();
  const ignoreUnknownFields = random.chance(0.1);
  return make.request(
    { operation: 'upload', kind, options: { ...options, ignoreUnknownFields }, ...maybeKey(session) },
    (mark) => {
      const ids = Array.from({ length: itemCount(session) }, () =>
        random.chance(0.4) ? make.world.ahead(kind, random) : make.world.recent(kind, random),
      );
      return ids.map((externalId, index): SentItem => {
        const own = `${mark}.${index}`;
        if (!ignoreUnknownFields && options.onconflict === 'upsert' && random.chance(0.05))
          return make.faulty(kind, externalId, own);
        const body = make.body(kind, externalId, own, aboutUpload(session, kind, ids));
        return { externalId, body: ignoreUnknownFields ? { ...body, colour: 'red' } : body };
      });
    },
  );
}

function aboutUpload({ make, random }: Session, kind: SentRequest['kind'], ids: readonly string[]) {
  const ownKind = kindOf(kind).references.some(({ target }) => target === kind);
  if (ownKind && random.chance(0.3)) return { references: make.referenceTo(kindOf(kind), kind, [random.pick(ids)]) };
  // without what is required: fine where the resource is there
  return random.chance(0.08) ? { texts: ['note'] } : {};
}

export async function patch(session: Session): Promise<void> {
  const { make, random } = session;
  const kind = make.kind();
  await send(
    session,
    make.request({ operation: 'patch', kind, options: maybeUndoable(session), ...maybeKey(session) }, (mark) =>
      Array.from({ length: random.integer(1, 8) }, (_, index) => {
        const externalId = make.world.known(kind, random);
        const texts = [random.pick(kindOf(kind).texts)];
        const references = random.chance(0.3) ? make.references(kindOf(kind)) : {};
        return { externalId, body: make.body(kind, externalId, `${mark}.${index}`, { texts, references }) };
      }),
    ),
  );
}

/** A delete has an id of its own that is not there: by it the checker knows its batch. */
export function deletion(
  session: Session,
  kind: SentRequest['kind'],
  ids: readonly string[],
  cascade: boolean,
): SentRequest {
  const options = { cascade, ...maybeUndoable(session) };
  return session.make.request({ operation: 'delete', kind, options, ...maybeKey(session) }, (mark) =>
    [...ids, `ghost.${mark}`].map((externalId) => ({ externalId })),
  );
}

export async function deleteSome(session: Session): Promise<void> {
  const { make, random } = session;
  const kind = make.kind();
  const ids = Array.from({ length: random.integer(1, 4) }, () => make.world.known(kind, random));
  await send(session, deletion(session, kind, ids, false));
}

export async function deleteCascading(session: Session): Promise<void> {
  const { make, random } = session;
  const kind = random.pick(['place', 'person', 'team', 'part'] as const);
  await send(session, deletion(session, kind, [make.world.known(kind, random)], true));
}

/** Always with a key: otherwise the batch of the request could not be found. */
export async function deleteAll(session: Session): Promise<void> {
  const kind = session.random.pick(['part', 'team'] as const);
  const options = { cascade: session.random.chance(0.5), deleteAll: true };
  await send(session, session.make.request({ operation: 'delete', kind, options, ...maybeKey(session, 1) }));
}

export async function suspendAndResume(session: Session): Promise<void> {
  const { client, observer, random, tenant } = session;
  const batchId = observer.someRunning(tenant, random);
  if (batchId === undefined) return;
  await client.control(tenant, batchId, 'suspend');
  await pause(session, 800);
  await client.control(tenant, batchId, 'resume');
}

export async function cancel({ client, observer, random, tenant }: Session): Promise<void> {
  const batchId = observer.someRunning(tenant, random);
  if (batchId !== undefined) await client.control(tenant, batchId, 'cancel');
}

export async function retry({ client, observer, random, tenant }: Session): Promise<void> {
  const batchId = observer.someFinished(tenant, random);
  if (batchId !== undefined) await client.control(tenant, batchId, 'retry');
}

/** Removes a running batch, whatever its state; except batches that delete more than they name. */
export async function remove(session: Session): Promise<void> {
  const { observer, random, tenant } = session;
  const batchId = observer.someToRemove(tenant, random);
  if (batchId !== undefined) await removeForGood(session, batchId);
}

/** How often a client asks for an undo whose answer is lost. */
const UNDOS = 4;

/** @returns what undoes it, if that is answered. */
export async function undoUntilAnswered(session: Session, id: string, isImport = false): Promise<string | undefined> {
  for (let time = 0; time < UNDOS && !session.stopped.aborted; time++) {
    const { status, undoneBy } = await session.client.undo(session.tenant, id, isImport);
    if (status !== null && status < 500) return undoneBy;
    await pause(session, 600);
  }
  return undefined;
}

/** Takes back what a batch has done, now and then twice at once; the undo is a batch that may be controlled like others. */
export async function undo(session: Session): Promise<void> {
  const { client, observer, random, tenant } = session;
  const batchId = observer.someUndoable(tenant, random);
  if (batchId === undefined) return;
  const twice = random.chance(0.2) ? [client.undo(tenant, batchId)] : [];
  const [undoneBy] = await Promise.all([undoUntilAnswered(session, batchId), ...twice]);
  if (undoneBy === undefined || random.chance(0.6)) return;
  if (random.chance(0.5)) {
    await client.control(tenant, undoneBy, 'suspend');
    await pause(session, 800);
    await client.control(tenant, undoneBy, 'resume');
    return;
  }
  await client.control(tenant, undoneBy, 'cancel');
  await pause(session, 2_000);
  await client.control(tenant, undoneBy, 'retry');
}

/** The definition changes while batches run under it: they go on under the new version. */
export async function changeDefinition({ client, make, random }: Session): Promise<void> {
  const kind = kindOf(make.kind());
  await client.redefine(kind.name, changedSchema(kind, random.integer(1, 5), random.chance(0.5)));
}
