import { BSON, type Document, Long, Timestamp, UUID } from 'mongodb';

/**
 * How large the entry of a replica set's oplog is that says that `before` has become `after`, in bytes: an insert holds the document, a
 * delete its id, an update what differs (`$v: 2`, fields and elements of arrays), or the document where that is smaller. The journal
 * holds this entry, and beside it the document and the index entries as the storage engine has them.
 */
export function oplogBytes(namespace: string, before: Document | null, after: Document | null): number {
  const _id: unknown = (after ?? before)?._id;
  if (after === null) return entryBytes(namespace, 'd', { _id });
  if (before === null) return entryBytes(namespace, 'i', after, { _id });
  const asDiff = entryBytes(namespace, 'u', { $v: 2, diff: diffOf(before, after) }, { _id });
  return Math.min(asDiff, entryBytes(namespace, 'u', after, { _id }));
}

const NO_COLLECTION = new UUID('00000000-0000-4000-8000-000000000000');

function entryBytes(ns: string, op: 'd' | 'i' | 'u', o: Document, o2?: Document): number {
  const ts = new Timestamp({ t: 0, i: 0 });
  const entry = {
    op,
    ns,
    ui: NO_COLLECTION,
    o,
    ...(o2 && { o2 }),
    ts,
    t: Long.ONE,
    v: Long.fromInt(2),
    wall: new Date(0),
  };
  return BSON.calculateObjectSize(entry);
}

/** `d`: fields that are gone, `u`: that have another value, `i`: that are new; `s` and a name: what differs inside of one. */
function diffOf(before: Document, after: Document): Document {
  const gone: Document = {};
  const changed: Document = {};
  const fresh: Document = {};
  const inside: Document = {};
  for (const name of Object.keys(before)) if (!(name in after)) gone[name] = false;
  for (const [name, value] of Object.entries(after)) {
    const old: unknown = before[name];
    if (!(name in before)) fresh[name] = value;
    else if (isSame(old, value)) continue;
    else {
      const nested = nestedDiff(old, value);
      if (nested === null) changed[name] = value;
      else inside[`s${name}`] = nested;
    }
  }
  const some = { d: gone, u: changed, i: fresh };
  return { ...Object.fromEntries(Object.entries(some).filter(([, of]) => Object.keys(of).length > 0)), ...inside };
}

function nestedDiff(before: unknown, after: unknown): Document | null {
  if (Array.isArray(before) && Array.isArray(after)) return smaller(arrayDiff(before, after), after);
  if (isPlain(before) && isPlain(after)) return smaller(diffOf(before, after), after);
  return null;
}

function arrayDiff(before: readonly unknown[], after: readonly unknown[]): Document {
  const diff: Document = { a: true };
  if (after.length < before.length) diff.l = after.length;
  for (const [at, value] of after.entries()) {
    if (at < before.length && isSame(before[at], value)) continue;
    const nested = at < before.length ? nestedDiff(before[at], value) : null;
    if (nested === null) diff[`u${at}`] = value;
    else diff[`s${at}`] = nested;
  }
  return diff;
}

const smaller = (diff: Document, whole: object): Document | null =>
  BSON.calculateObjectSize(diff) < BSON.calculateObjectSize({ ...whole }) ? diff : null;

const isPlain = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

const isSame = (one: unknown, other: unknown): boolean =>
  BSON.EJSON.stringify({ value: one }, { relaxed: false }) ===
  BSON.EJSON.stringify({ value: other }, { relaxed: false });
