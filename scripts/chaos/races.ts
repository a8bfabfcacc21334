import { deletion } from './actions.ts';
import type { KindName } from './definitions.ts';
import type { SentRequest } from './journal.ts';
import { maybeKey, pause, send, type Session } from './session.ts';
import { single, uniqueIds, waitingFor } from './waiting-actions.ts';

/** Requests that meet on purpose: each race aims at one guard of the service. */

/** So long that only a wake-up ends the wait within a run. */
const LONG_WAIT = 7_200;
/** Time in which the requests of a race are spread, in ms: as long as a batch takes to its first write. */
const SPREAD_MS = 150;

async function atOnce(session: Session, requests: readonly SentRequest[], spreadMs = SPREAD_MS): Promise<void> {
  await Promise.all(
    requests.map(async (request) => {
      await new Promise((resolve) => setTimeout(resolve, session.random.next() * spreadMs));
      await send(session, request);
    }),
  );
}

/** Makes a resource and waits a little for it to be there. */
async function create(session: Session, kind: KindName, id: string): Promise<void> {
  await send(session, single(session, kind, id, 0, { references: {} }));
  for (let look = 0; look < 20 && !session.stopped.aborted; look++) {
    await pause(session, 80);
    const found = await session.client.resource(session.tenant, kind, id).catch(() => null);
    if (found !== null) return;
  }
}

/** Some come to refer to a resource while it is deleted: nobody may be left referring to nothing. */
export async function deleteAgainstReferences(session: Session): Promise<void> {
  const [target = '', ...referrers] = uniqueIds(session, session.random.integer(3, 6));
  const kind = session.random.pick(['person', 'team', 'part'] as const);
  await create(session, 'place', target);
  const uploads = referrers.map((id) => waitingFor(session, kind, id, { target: 'place', ids: [target] }, 0));
  await atOnce(session, [deletion(session, 'place', [target], session.random.chance(0.5)), ...uploads]);
}

/** A batch begins to wait for a resource while another one creates it: it must not sleep on. */
export async function waitAgainstCreation(session: Session): Promise<void> {
  const [target = '', ...waiting] = uniqueIds(session, 3);
  const waits = waiting.map((id) => waitingFor(session, 'person', id, { target: 'place', ids: [target] }, LONG_WAIT));
  await atOnce(session, [single(session, 'place', target, 0, { references: {} }), ...waits]);
}

/** Patches of other fields of one resource: all of them win. */
export async function patchesAtOnce(session: Session): Promise<void> {
  const { random, make } = session;
  const kind = random.pick(['person', 'place'] as const);
  const ids = random.chance(0.5) ? uniqueIds(session, 1) : [make.world.known(kind, random)];
  if (ids[0]?.startsWith('u-')) await create(session, kind, ids[0]);
  const patches = ['name', 'note', 'motto', 'note', 'motto'].map((field) =>
    make.request({ operation: 'patch', kind, ...maybeKey(session, 0.2) }, (mark) =>
      ids.map((externalId, index) => ({ externalId, body: make.body(kind, externalId, `${mark}.${index}`, { texts: [field], references: {} }) })),
    ),
  );
  await atOnce(session, patches);
}

/** Uploads that must not find their own work: delivered twice, they still have created what they created. */
export async function rejectingOnce(session: Session): Promise<void> {
  const { make, random } = session;
  const ids = uniqueIds(session, random.integer(5, 30));
  await send(session, make.request({ operation: 'upload', kind: 'place', options: { onconflict: 'reject' }, ...maybeKey(session) }, (mark) =>
    ids.map((externalId, index) => ({ externalId, body: make.body('place', externalId, `${mark}.${index}`, { references: {} }) })),
  ));
}

/** One id uploaded, patched and deleted by several at once. */
export async function scramble(session: Session): Promise<void> {
  const { make, random } = session;
  const kind = make.kind();
  const externalId = make.world.recent(kind, random);
  const write = (operation: 'upload' | 'patch', onconflict?: 'reject'): SentRequest =>
    make.request({ operation, kind, options: onconflict ? { onconflict } : {}, ...maybeKey(session, 0.2) }, (mark) => [
      { externalId, body: make.body(kind, externalId, `${mark}.0`, { references: {}, texts: ['name', random.pick(['note', 'motto'])] }) },
    ]);
  await atOnce(session, [write('upload'), write('upload', 'reject'), write('patch'), deletion(session, kind, [externalId], random.chance(0.3))], 60);
}
