import { jsonText } from '../../domain/json/exact.ts';
import { namesOf } from '../../domain/json/name-order.ts';
import { canBeInPath, memberBytes, type Storable, storedName, toStorable } from '../../domain/json/stored.ts';
import { MAX_RESOURCE_BYTES } from '../../domain/limits.ts';
import type { JsonObject, JsonValue } from '../../domain/write/resource.ts';
import type { ResourceFormat } from '../../store/resource-format.ts';
import type { ResourceDocument } from '../../store/resources.ts';

/** The data of a resource in the form in which it is stored, with its size. */
export function storedData(
  { data, bytes }: Pick<ResourceDocument, 'data' | 'bytes'>,
  format: ResourceFormat,
): { readonly data: Storable | string; readonly bytes?: number } {
  if (format === 'text') {
    const text = jsonText(data);
    const size = Buffer.byteLength(text);
    // a text that no document could hold: earlier versions cannot read this resource in either form
    if (size <= MAX_RESOURCE_BYTES) return { data: text, bytes: size };
  }
  return { data: toStorable(data), ...(bytes !== undefined && { bytes }) };
}

/** Fields of an update of the data. */
interface DataChange {
  readonly $set: Readonly<Record<string, Storable | string | number>>;
  readonly $unset?: Readonly<Record<string, ''>>;
}

/**
 * The update that makes the stored data of one document that of another: only the fields that differ, if their names can be parts of a path,
 * the order of all fields is then right (MongoDB adds new fields at the end), and they are smaller than the whole.
 * @param from the document that the update is guarded by: it is stored exactly so.
 */
export function dataChange(from: ResourceDocument, to: ResourceDocument, format: ResourceFormat): DataChange {
  const whole = storedData(to, format);
  if (format === 'document' && from.isText === undefined) {
    const fields = changedFields(from.data, to.data);
    const bytes = fields?.set.reduce((sum, name) => sum + memberBytes(name, to.data[name] as JsonValue), 0) ?? 0;
    if (fields !== null && bytes < (to.bytes ?? 0)) return byFields(to, fields);
  }
  return { $set: { ...whole } };
}

interface ChangedFields {
  readonly set: readonly string[];
  readonly removed: readonly string[];
}

/** Null if an update of these fields alone could not be made, or would leave the fields in another order. */
function changedFields(from: JsonObject, to: JsonObject): ChangedFields | null {
  const before = namesOf(from);
  const after = namesOf(to);
  const removed = before.filter((name) => !Object.hasOwn(to, name));
  const kept = before.filter((name) => Object.hasOwn(to, name));
  const added = after.slice(kept.length);
  // MongoDB adds several fields in an order of its own
  if (added.length > 1 || kept.some((name, at) => after[at] !== name)) return null;
  const set = [...kept.filter((name) => !isSame(from[name], to[name])), ...added];
  return [...set, ...removed].every(canBeInPath) ? { set, removed } : null;
}

/** Whether two fields are stored in the same way, the order of the names in them included. */
const isSame = (left: JsonValue | undefined, right: JsonValue | undefined): boolean =>
  Object.is(left, right) ||
  (typeof left === 'object' && typeof right === 'object' && jsonText(left) === jsonText(right));

function byFields({ data, bytes }: ResourceDocument, { set, removed }: ChangedFields): DataChange {
  const path = (name: string): string => `data.${storedName(name)}`;
  const unset = Object.fromEntries(removed.map((name) => [path(name), '' as const]));
  return {
    $set: {
      ...Object.fromEntries(set.map((name) => [path(name), toStorable(data[name] as JsonValue)])),
      ...(bytes !== undefined && { bytes }),
    },
    ...(removed.length > 0 && { $unset: unset }),
  };
}
