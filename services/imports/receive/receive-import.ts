import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { isTerminal } from '../../../domain/batch/batch.ts';
import type { Scope } from '../../../domain/batch/scope.ts';
import { DroverError } from '../../../domain/errors.ts';
import type { CsvOptions } from '../../../domain/imports/csv.ts';
import type { ImportFormat, ImportOptions } from '../../../domain/imports/import.ts';
import { IMPORT_SEAL_MS } from '../../../domain/limits.ts';
import {
  insertPart,
  type PartDocument,
  removeChunks,
  storedParts,
  type Upload,
} from '../../../store/imports/import-content.ts';
import {
  addReceived,
  breakOff,
  type ImportDocument,
  insertImport,
  type NewImport,
  readImport,
  recordReceived,
  sealImport,
} from '../../../store/imports/imports.ts';
import type { Database } from '../../../store/mongodb/database.ts';
import { orLater, signalContent, signalControl } from '../control-import.ts';
import { type StartImportParts, startImport } from '../start-import.ts';
import { type StoredPart, storeChunks } from './receive-content.ts';
import { partThatCounts } from './remove-part.ts';

interface ReceiveParts extends StartImportParts {
  readonly logger: Logger;
  isTemporalThere(): Promise<boolean>;
}

/** What a request to import says. */
export interface ImportRequest {
  readonly scope: Scope;
  /** Absent: each row names its own. */
  readonly schemaDefinitionId?: string;
  readonly schemaName?: string;
  readonly externalIdField?: string;
  readonly format: ImportFormat;
  readonly csvOptions?: CsvOptions;
  readonly options: ImportOptions;
  readonly label?: string;
  readonly isForAll?: true;
  readonly startAt?: Date;
  readonly createdBy?: string;
}

/** Time without a sign of its sender after which an import in one request is given up, in ms. */
const SENDER_GONE_MS = 60_000;
/** Least time between two notes of what was received, in ms, and between two signals of it. */
const NOTED_EVERY_MS = 1_000;

/** An import that comes in parts: from now on parts are accepted. */
export async function openImport(parts: ReceiveParts, request: ImportRequest): Promise<ImportDocument> {
  const imported = await insertImport(parts.database, toNew(request, new Date(Date.now() + IMPORT_SEAL_MS)));
  await orLater(parts, imported._id, () => startImport(parts, imported));
  return imported;
}

/**
 * Stores an import that comes in one request, whose rows are carried out while later ones still arrive. The seal is its acceptance: when this
 * returns, every byte is durable (invariant 1). If the content breaks off, the import is cancelled; if this process dies, recovery
 * does that.
 * @param content unpacked; at least one byte of it. @throws what reading the content throws.
 */
export async function receiveImport(
  parts: ReceiveParts,
  request: ImportRequest,
  content: AsyncIterable<Uint8Array>,
): Promise<ImportDocument> {
  const { database } = parts;
  const upload = randomUUID();
  const imported = await insertImport(database, { ...toNew(request, senderDue()), upload });
  const importId = imported._id;
  const note = new NotedProgress(parts, imported);
  try {
    const stored = await storeChunks(database, { importId, part: 1, upload }, content, (bytes) => note.received(bytes));
    if (stored.bytes === 0) throw new DroverError('invalid_request', 'the content is empty');
    await insertPart(database, { importId, part: 1, upload }, stored);
    const sealed = await sealImport(database, imported, { parts: 1, received: stored.bytes });
    if (sealed === null) throw await notSealed(parts, imported);
    await orLater(parts, importId, () => note.tell());
    return sealed;
  } catch (error) {
    await giveUp(parts, imported);
    throw error;
  }
}

/** If this fails as well, recovery finds that nobody sends any more. */
async function giveUp(parts: ReceiveParts, imported: ImportDocument): Promise<void> {
  const importId = imported._id;
  try {
    if ((await breakOff(parts.database, importId, 'its content broke off')) === null) return;
    await orLater(parts, importId, async () => {
      await startImport(parts, imported);
      await signalControl(parts, importId);
    });
  } catch (error) {
    parts.logger.warn({ importId, err: error }, 'an import whose content broke off is left to recovery');
  }
}

async function notSealed({ database }: ReceiveParts, imported: ImportDocument): Promise<DroverError> {
  const now = await readImport(database, imported._id);
  const why =
    now === null || now.deletedAt ? 'was deleted' : now.cancelRequested ? 'was cancelled' : `is ${now.status}`;
  return new DroverError('operation_not_allowed', `the import ${why} while its content arrived`);
}

const senderDue = (): Date => new Date(Date.now() + SENDER_GONE_MS);

function toNew({ scope, ...request }: ImportRequest, sealDue: Date): NewImport {
  const createdAt = new Date();
  return { ...request, scope, _id: uuidv7({ msecs: createdAt.getTime() }), createdAt, sealDue };
}

/** Notes from time to time how much has arrived, and tells the workflow; the first time it starts it. */
class NotedProgress {
  readonly #parts: ReceiveParts;
  readonly #imported: ImportDocument;
  #notedAt = 0;
  #isStarted = false;

  constructor(parts: ReceiveParts, imported: ImportDocument) {
    this.#parts = parts;
    this.#imported = imported;
  }

  /** @throws DroverError `operation_not_allowed` if the import does not take content any more. */
  async received(bytes: number): Promise<void> {
    const now = Date.now();
    if (now - this.#notedAt < NOTED_EVERY_MS) return;
    this.#notedAt = now;
    const { _id } = this.#imported;
    const noted = await recordReceived(this.#parts.database, _id, bytes, senderDue());
    const isTaken = noted !== null && !isTerminal(noted.status) && !noted.cancelRequested && !noted.deletedAt;
    if (!isTaken) throw await notSealed(this.#parts, this.#imported);
    if (bytes === 0) return;
    await orLater(this.#parts, _id, () => this.tell());
  }

  /** Starts the workflow, which then finds all content that is there: a small import is sealed before it starts. */
  async tell(): Promise<void> {
    if (this.#isStarted) return signalContent(this.#parts, this.#imported._id);
    await startImport(this.#parts, this.#imported);
    this.#isStarted = true;
  }
}

/**
 * Stores one part of an import. The first sender whose part is whole has sent it; the same content again changes nothing.
 * @param content unpacked. @param maxBytes of all parts together. @returns whether it is new.
 * @throws DroverError `operation_not_allowed` for other content under the same number, or if the import takes no parts any more; `body_too_large`.
 */
export async function receivePart(
  parts: ReceiveParts,
  imported: ImportDocument,
  part: number,
  content: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly isNew: boolean; readonly stored: PartDocument }> {
  const { database } = parts;
  const importId = imported._id;
  const mine = { importId, part, upload: randomUUID() };
  let checkedAt = Date.now();
  const sent = await storeOrRemove(parts, mine, content, async () => {
    if (Date.now() - checkedAt < NOTED_EVERY_MS) return;
    checkedAt = Date.now();
    // nobody would remove what is stored for an import that is gone
    if ((await readImport(database, importId))?.deletedAt !== undefined) throw await notSealed(parts, imported);
  });
  const now = await readImport(database, importId);
  const isOpen = now !== null && isTakingParts(now);
  const before = await partThatCounts(database, now ?? imported, part);
  const held = before === null ? (await heldBeside(database, now ?? imported, part)) + sent.bytes : 0;
  const isTaken = isOpen && sent.bytes > 0 && held <= maxBytes;
  const stored = before ?? (isTaken ? await insertPart(database, mine, sent) : null);
  const isNew = stored?.upload === mine.upload;
  if (!isNew) await removeChunks(database, mine, 0, sent.chunks);
  if (sent.bytes === 0) throw new DroverError('invalid_request', 'the part is empty');
  if (stored === null && held > maxBytes) throw tooLarge(held, maxBytes);
  if (stored === null) throw new DroverError('operation_not_allowed', 'the import takes no parts any more');
  if (stored.hash !== sent.hash)
    throw new DroverError('operation_not_allowed', `part ${part} was sent before with other content`);
  if (isNew) {
    await addReceived(database, importId, sent.bytes);
    await orLater(parts, importId, () => signalContent(parts, importId));
  }
  return { isNew, stored };
}

/** Stores the content of a part; if it breaks off, it leaves nothing: on a bad network a part is sent again and again. */
async function storeOrRemove(
  { database, logger }: ReceiveParts,
  upload: Upload,
  content: AsyncIterable<Uint8Array>,
  stored: () => Promise<void>,
): Promise<StoredPart> {
  let chunks = 0;
  try {
    return await storeChunks(database, upload, content, async () => {
      chunks += 1;
      await stored();
    });
  } catch (error) {
    try {
      // the one whose insert has failed may be stored
      await removeChunks(database, upload, 0, chunks + 1);
    } catch (err) {
      logger.warn(
        { importId: upload.importId, err },
        'what is left of a part that broke off is removed at the end of its import',
      );
    }
    throw error;
  }
}

const totalOf = (stored: ReadonlyMap<number, number>): number =>
  [...stored.values()].reduce((sum, bytes) => sum + bytes, 0);

async function heldBeside(database: Database, imported: ImportDocument, part: number): Promise<number> {
  const others = await storedParts(database, imported);
  others.delete(part);
  return totalOf(others);
}

const tooLarge = (bytes: number, maxBytes: number): DroverError =>
  new DroverError('body_too_large', `the parts have ${bytes} bytes together, and may have ${maxBytes}`);

const isTakingParts = (now: ImportDocument): boolean =>
  !now.sealed && !now.cancelRequested && now.deletedAt === undefined && now.completedAt === undefined;

/**
 * All parts are sent. Safe to repeat with the same number.
 * @param maxBytes of all parts together: parts that were sent at the same time did not know of each other.
 * @throws DroverError `operation_not_allowed` naming the first parts that are missing or too many; `body_too_large`.
 */
export async function sealParts(
  parts: ReceiveParts,
  imported: ImportDocument,
  count: number,
  maxBytes: number,
): Promise<ImportDocument> {
  const { database } = parts;
  const importId = imported._id;
  const refused = (why: string): DroverError => new DroverError('operation_not_allowed', why);
  if (imported.upload !== undefined) throw refused('the import came in one request, which has no parts to seal');
  if (imported.sealed) {
    if (imported.parts === count) return imported;
    throw refused(`the import is sealed with ${imported.parts} parts`);
  }
  const stored = await storedParts(database, imported);
  const missing = Array.from({ length: count }, (_, at) => at + 1).filter((part) => !stored.has(part));
  if (missing.length > 0) throw refused(`these parts are missing: ${missing.slice(0, 20).join(', ')}`);
  const more = [...stored.keys()].filter((part) => part > count);
  if (more.length > 0)
    throw refused(`these parts are beyond the ${count} of the seal: ${more.slice(0, 20).join(', ')}`);
  const received = totalOf(stored);
  if (received > maxBytes) throw tooLarge(received, maxBytes);
  const sealed = await sealImport(database, imported, { parts: count, received });
  if (sealed === null) {
    const now = await readImport(database, importId);
    if (now?.sealed && now.parts === count && now.deletedAt === undefined) return now;
    if (now !== null && isTakingParts(now)) throw refused('a part was removed at the same time: send the seal again');
    throw refused('the import is cancelled and takes no parts any more');
  }
  await orLater(parts, importId, () => signalContent(parts, importId));
  return sealed;
}
