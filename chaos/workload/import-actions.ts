import { batchIdsOf, type SentItem, type SentRequest } from '../record/journal.ts';
import { undoUntilAnswered } from './actions.ts';
import type { JsonObject } from './answers.ts';
import { type KindName, kindOf } from './definitions.ts';
import { columnsOf } from './import-files.ts';
import { pause, type Session } from './session.ts';
import { uniqueIds } from './waiting-actions.ts';

/** Imports of files of newline-delimited JSON and CSV, in one request and in parts, and what clients do with them. */

/** How often a client sends a part, or the seal, whose answer is lost; the drain does the rest. */
const SENDINGS = 4;
/** Imports that a client controls: the latest ones. */
const RECENT = 6;

export async function importWhole(session: Session): Promise<void> {
  const request = aFile(session, null);
  session.journal.requests.push(request);
  await session.client.imports.send(request);
}

export async function importInParts(session: Session): Promise<void> {
  const { client, journal, random, stopped } = session;
  const request = aFile(session, random.integer(2, 4));
  journal.requests.push(request);
  const importId = await client.imports.open(request);
  if (importId === undefined) return;
  const parts = random.shuffled((request.import?.parts ?? []).map((_, at) => at + 1));
  for (const part of random.chance(0.3) ? [...parts, parts[0] ?? 1] : parts) {
    await repeated(session, () => client.imports.sendPart(request, importId, part));
    await pause(session, 150);
  }
  if (!stopped.aborted) await repeated(session, () => client.imports.seal(request, importId));
}

async function repeated(session: Session, call: () => Promise<number | null>): Promise<void> {
  for (let time = 0; time < SENDINGS && !session.stopped.aborted; time++) {
    const status = await call();
    if (status !== null && status < 500) return;
    await pause(session, 600);
  }
}

export async function controlImport(session: Session): Promise<void> {
  const { client, random, tenant } = session;
  const importId = someImport(session);
  if (importId === undefined) return;
  switch (random.pick(['suspend', 'suspend', 'cancel', 'retry', 'retry'] as const)) {
    case 'suspend':
      await client.imports.control(tenant, importId, 'suspend');
      await pause(session, 800);
      await client.imports.control(tenant, importId, 'resume');
      return;
    case 'cancel':
      await client.imports.control(tenant, importId, 'cancel');
      return;
    case 'retry':
      await client.imports.control(tenant, importId, 'retry');
  }
}

/** The batches of an import are undone, one after the other; now and then that is cancelled. */
export async function undoImport(session: Session): Promise<void> {
  const importId = someImport(session, true);
  if (importId !== undefined) await undoUntilAnswered(session, importId, true);
}

export async function removeImport(session: Session): Promise<void> {
  const importId = someImport(session, false);
  if (importId !== undefined) await session.client.imports.remove(session.tenant, importId);
}

/** @param undoable absent: whether it is or not. The checker has to know what an undo has taken back, so such a one is not removed. */
function someImport({ journal, random, tenant }: Session, undoable?: boolean): string | undefined {
  const ids = journal.requests.flatMap((request) =>
    request.import && request.tenant === tenant && (undoable ?? request.options.undoable) === request.options.undoable
      ? batchIdsOf(request)
      : [],
  );
  return ids.length > 0 ? random.pick(ids.slice(-RECENT)) : undefined;
}

/** @param parts null: in one request. */
function aFile(session: Session, parts: number | null): SentRequest {
  const { random, make } = session;
  const kind = make.kind();
  const format = random.chance(0.5) ? 'csv' : 'ndjson';
  // more than one batch of 1000 now and then
  const rows = random.chance(0.06) ? random.integer(1_050, 1_200) : random.integer(8, 70);
  const ids = uniqueIds(session, rows).map((id) => (random.chance(0.05) ? make.world.recent(kind, random) : id));
  const request = make.request(
    {
      operation: 'upload',
      kind,
      options: {
        untilEndOfImport: true,
        undoable: random.chance(0.4),
        ...(random.chance(0.2) && { onconflict: 'reject' as const }),
      },
    },
    (mark) => ids.map((id, index) => aRow(session, kind, format, id, `${mark}.${index}`, ids)),
  );
  const sizes = parts === null ? {} : { parts: sizesOf(rows, parts) };
  return { ...request, import: { format, isSealed: false, ...sizes } };
}

function sizesOf(rows: number, parts: number): number[] {
  const size = Math.floor(rows / parts);
  return Array.from({ length: parts }, (_, at) => (at === parts - 1 ? rows - size * (parts - 1) : size));
}

/** Some rows are none; many refer to others of the file, before or after them, and a few to what is nowhere. */
function aRow(
  session: Session,
  kind: KindName,
  format: 'ndjson' | 'csv',
  externalId: string,
  mark: string,
  ids: readonly string[],
): SentItem {
  const { random, make } = session;
  if (random.chance(0.03)) {
    const text = format === 'csv' ? `${mark}${','.repeat(columnsOf(kindOf(kind)).length)}` : `{"${mark}"`;
    return { externalId: null, fault: 'malformed', text };
  }
  return { externalId, body: make.body(kind, externalId, mark, { references: references(session, kind, ids) }) };
}

function references({ random, make }: Session, kind: KindName, ids: readonly string[]): JsonObject {
  const own = kindOf(kind).references.some(({ target }) => target === kind);
  if (own && random.chance(0.4)) {
    const target = random.chance(0.04) ? `nowhere-${random.integer(0, 1e9)}` : random.pick(ids);
    return make.referenceTo(kindOf(kind), kind, [target]);
  }
  return make.references(kindOf(kind), 0.15);
}
