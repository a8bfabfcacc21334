import type { SentItem, SentRequest } from '../record/journal.ts';
import { type Kind, type KindName, kindOf } from './definitions.ts';
import type { BodyWish } from './request-maker.ts';
import { maybeKey, pause, type Session, send } from './session.ts';

/** Waits in seconds: shorter than the run for some, for others so long that only what they wait for ends them. */
const SHORT_WAIT = 4;
const LONG_WAIT = 7_200;

/** An upload of one item that waits for what it refers to. */
export function waitingFor(
  session: Session,
  kind: KindName,
  externalId: string,
  on: { readonly target: KindName; readonly ids: readonly string[] },
  wait: number,
): SentRequest {
  const references = session.make.referenceTo(kindOf(kind), on.target, on.ids);
  return single(session, kind, externalId, wait, { references });
}

/** An upload of one item. */
function single(session: Session, kind: KindName, externalId: string, wait: number, wish: BodyWish): SentRequest {
  return session.make.request(
    { operation: 'upload', kind, options: { dependencyWaitTimeout: wait }, ...maybeKey(session, 0.2) },
    (mark) => [{ externalId, body: session.make.body(kind, externalId, `${mark}.0`, wish) }],
  );
}

/** Several items that may wait, some for each other. */
export async function uploadWaiting(session: Session): Promise<void> {
  const { make, random } = session;
  const kind = random.pick(['person', 'team', 'part'] as const);
  const options = {
    dependencyWaitTimeout: random.chance(0.5) ? SHORT_WAIT : LONG_WAIT,
    onconflict: random.chance(0.2) ? 'reject' : 'upsert',
  } as const;
  await send(
    session,
    make.request({ operation: 'upload', kind, options, ...maybeKey(session) }, (mark) =>
      Array.from({ length: random.integer(1, 6) }, (_, index): SentItem => {
        const externalId = random.chance(0.5) ? make.world.ahead(kind, random) : make.world.recent(kind, random);
        const target = random.pick(kindOf(kind).references).target;
        const references = make.referenceTo(kindOf(kind), target, [make.world.ahead(target, random)]);
        return { externalId, body: make.body(kind, externalId, `${mark}.${index}`, { references }) };
      }),
    ),
  );
}

/** Each link waits for the next, in batches of their own that arrive in any order; the last one is there to be had. */
export async function chain(session: Session): Promise<void> {
  const { random } = session;
  const [first = '', ...others] = uniqueIds(session, random.integer(3, 5));
  const kind: KindName = random.chance(0.5) ? 'person' : 'part';
  const links = others.map((id, at) =>
    waitingFor(session, kind, id, { target: kind, ids: [others[at - 1] ?? first] }, LONG_WAIT),
  );
  const head = single(session, kind, first, 0, { references: {} });
  for (const request of random.shuffled([head, ...links])) {
    await send(session, request);
    await pause(session, 60);
  }
}

/** Members refer to each other in a circle, each in a batch of its own; one of them may need something else first. */
export async function cycle(session: Session): Promise<void> {
  const { random, make } = session;
  const ids = uniqueIds(session, random.integer(2, 4));
  const kind: KindName = random.chance(0.5) ? 'person' : 'part';
  const needed = random.chance(0.4) ? (uniqueIds(session, 1)[0] ?? null) : null;
  const members = ids.map((id, at) => {
    const next = ids[(at + 1) % ids.length] ?? id;
    const references = make.referenceTo(refersToItself(kind), kind, [next]);
    return single(session, kind, id, LONG_WAIT, {
      references: at === 0 && needed !== null ? { ...references, ...toPlace(kind, needed) } : references,
    });
  });
  const others = needed === null ? [] : [single(session, 'place', needed, 0, { references: {} })];
  for (const request of random.shuffled([...members, ...others])) {
    await send(session, request);
    if (random.chance(0.5)) await pause(session, 60);
  }
}

/** The kind with references to its own kind only. */
function refersToItself(name: KindName): Kind {
  const kind = kindOf(name);
  return { ...kind, references: kind.references.filter(({ target }) => target === name) };
}

const toPlace = (kind: KindName, id: string) => (kind === 'person' ? { home: id } : { details: { origin: id } });

/** Ids that no other request uses. */
export function uniqueIds({ random, make }: Session, count: number): string[] {
  const base = `${make.tenant}-${random.integer(0, 1e9)}`;
  return Array.from({ length: count }, (_, at) => `u-${base}-${at}`);
}
