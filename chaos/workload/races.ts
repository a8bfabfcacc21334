import { setTimeout as sleep } from 'node:timers/promises';
import type { SentRequest } from '../record/journal.ts';
import { deletion } from './actions.ts';
import type { JsonObject } from './answers.ts';
import { type KindName, kindOf } from './definitions.ts';
import { maybeKey, pause, type Session, send } from './session.ts';
import { uniqueIds, waitingFor } from './waiting-actions.ts';

/** Requests that meet on purpose: each race aims at one guard of the service. */

/** So long that only a wake-up ends the wait within a run. */
const LONG_WAIT = 7_200;
/** Time in which the requests of a race are spread, in ms: as long as a batch takes to its first write. */
const SPREAD_MS = 150;

async function atOnce(session: Session, requests: readonly SentRequest[], spreadMs = SPREAD_MS): Promise<void> {
  await Promise.all(
    requests.map(async (request) => {
      await sleep(session.random.next() * spreadMs);
      await send(session, request);
    }),
  );
}

/** Makes resources and waits a little for them to be there. */
async function create(session: Session, kind: KindName, ids: readonly string[]): Promise<void> {
  await send(session, uploadOf(session, kind, ids, {}));
  for (let poll = 0; poll < 20 && !session.stopped.aborted; poll++) {
    await pause(session, 80);
    const found = await session.client.resource(session.tenant, kind, ids.at(-1) ?? '').catch(() => null);
    if (found !== null) return;
  }
}

/** Uploads ids, each with references of its own or none. */
function uploadOf(
  session: Session,
  kind: KindName,
  ids: readonly string[],
  { onconflict, references }: UploadWish,
): SentRequest {
  const options = onconflict === undefined ? {} : { onconflict };
  return session.make.request({ operation: 'upload', kind, options, ...maybeKey(session, 0.2) }, (mark) =>
    ids.map((externalId, at) => ({
      externalId,
      body: session.make.body(kind, externalId, `${mark}.${at}`, { references: references?.(at) ?? {} }),
    })),
  );
}

interface UploadWish {
  readonly onconflict?: 'reject';
  readonly references?: (at: number) => JsonObject;
}

/** Resources are deleted while uploads refer to them, one after the other: no reference may be left dangling. */
export async function deleteAgainstReferences(session: Session): Promise<void> {
  const { random, make } = session;
  const targets = uniqueIds(session, random.pick([2, 12, 24]));
  const kind = random.pick(['person', 'team', 'part'] as const);
  await create(session, 'place', targets);
  const referTo = (ids: readonly string[]): SentRequest =>
    uploadOf(
      session,
      kind,
      ids.map((id) => `${id}-refers`),
      { references: (at) => make.referenceTo(kindOf(kind), 'place', [ids[at] ?? '']) },
    );
  const deleting = send(session, deletion(session, 'place', random.shuffled(targets), random.chance(0.3)));
  const share = Math.ceil(targets.length / 4);
  const referring: Promise<unknown>[] = [];
  for (let at = 0; at < targets.length; at += share) {
    referring.push(send(session, referTo(targets.slice(at, at + share))));
    await pause(session, 200);
  }
  await Promise.all([deleting, ...referring]);
}

/** Batches begin to wait for resources while another one creates these: none may sleep on. */
export async function waitAgainstCreation(session: Session): Promise<void> {
  const targets = uniqueIds(session, session.random.integer(1, 4));
  const waits = targets.map((id) =>
    waitingFor(session, 'person', `${id}-waits`, { target: 'place', ids: [id] }, LONG_WAIT),
  );
  const creating = pause(session, 3 * SPREAD_MS).then(() => send(session, uploadOf(session, 'place', targets, {})));
  await Promise.all([atOnce(session, waits), creating]);
}

/** Patches of other fields of the same resources: all of them win. */
export async function patchesAtOnce(session: Session): Promise<void> {
  const { random, make } = session;
  const kind = random.pick(['person', 'place'] as const);
  const ids = uniqueIds(session, random.integer(1, 6));
  await create(session, kind, ids);
  const patches = ['name', 'note', 'motto', 'note', 'motto'].map((field) =>
    make.request({ operation: 'patch', kind, ...maybeKey(session, 0.2) }, (mark) =>
      ids.map((externalId, at) => ({
        externalId,
        body: make.body(kind, externalId, `${mark}.${at}`, { texts: [field], references: {} }),
      })),
    ),
  );
  await atOnce(session, patches);
}

/** Uploads that must not find their own work: delivered twice, they still have created what they created. */
export async function rejectingOnce(session: Session): Promise<void> {
  await send(
    session,
    uploadOf(session, 'place', uniqueIds(session, session.random.integer(5, 30)), { onconflict: 'reject' }),
  );
}

/** One id uploaded, patched and deleted by several at once. */
export async function scramble(session: Session): Promise<void> {
  const { make, random } = session;
  const kind = make.kind();
  const externalId = make.world.recent(kind, random);
  const write = (operation: 'upload' | 'patch', onconflict?: 'reject'): SentRequest =>
    make.request({ operation, kind, options: onconflict ? { onconflict } : {}, ...maybeKey(session, 0.2) }, (mark) => [
      {
        externalId,
        body: make.body(kind, externalId, `${mark}.0`, {
          references: {},
          texts: ['name', random.pick(['note', 'motto'])],
        }),
      },
    ]);
  await atOnce(
    session,
    [
      write('upload'),
      write('upload', 'reject'),
      write('patch'),
      deletion(session, kind, [externalId], random.chance(0.3)),
    ],
    60,
  );
}
