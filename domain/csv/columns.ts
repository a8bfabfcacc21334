import { namesOf } from '../json/name-order.ts';
import { isObject } from '../schema/document.ts';
import type { JsonObject, JsonValue } from '../write/resource.ts';

/** A column of a table of resources: the names that lead to its value. */
export interface Column {
  /** `a.b` for a field of a nested object. */
  readonly name: string;
  readonly path: readonly string[];
  /** Names of the fields of an object that have columns of their own: this one has the object where it holds any other. */
  readonly inner?: readonly string[];
}

/**
 * The columns of resources of a schema, in the order of its properties; the external id first if `properties` lacks it. An object whose
 * fields the schema names has a column for each. It may hold other fields too: for these objects there are columns at the end.
 */
export function columnsOf(schema: JsonObject, externalIdField: string): Column[] {
  const properties = propertiesOf(schema);
  const ownId = properties.has(externalIdField) ? [] : [{ name: externalIdField, path: [externalIdField] }];
  const columns: Column[] = [];
  const wholes: Column[] = [];
  addColumns(properties, [], columns, wholes);
  return [...ownId, ...columns, ...wholes];
}

function addColumns(
  properties: ReadonlyMap<string, JsonValue>,
  above: readonly string[],
  columns: Column[],
  wholes: Column[],
): void {
  for (const [property, schema] of properties) {
    const path = [...above, property];
    const name = path.join('.');
    const inner = isObject(schema) && schema.type === 'object' ? propertiesOf(schema) : new Map<string, JsonValue>();
    if (inner.size === 0) columns.push({ name, path });
    else {
      addColumns(inner, path, columns, wholes);
      wholes.push({ name, path, inner: [...inner.keys()] });
    }
  }
}

const propertiesOf = ({ properties }: JsonObject): ReadonlyMap<string, JsonValue> =>
  isObject(properties)
    ? new Map(namesOf(properties).map((name) => [name, properties[name] as JsonValue]))
    : new Map<string, JsonValue>();

/**
 * The values of a resource in some columns. An object that does not fit in the columns of its fields is the value of its own column, and these
 * are empty.
 */
export function valuesIn(data: JsonObject, columns: readonly Column[]): (JsonValue | undefined)[] {
  const whole = new Set(
    columns
      .filter(({ path, inner }) => inner !== undefined && isWhole(valueAt(data, path), inner))
      .map(({ name }) => name),
  );
  const isInWhole = (path: readonly string[]): boolean =>
    whole.size > 0 && path.some((_, end) => end > 0 && whole.has(path.slice(0, end).join('.')));
  return columns.map(({ name, path, inner }) => {
    if (isInWhole(path) || (inner !== undefined && !whole.has(name))) return undefined;
    return valueAt(data, path);
  });
}

/** Whether the columns of its fields cannot show a value: it holds other fields, or none, or is no object. */
function isWhole(value: JsonValue | undefined, inner: readonly string[]): boolean {
  if (value === undefined) return false;
  if (!isObject(value)) return true;
  const names = namesOf(value);
  return names.length === 0 || names.some((name) => !inner.includes(name));
}

function valueAt(data: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = data;
  for (const step of path) {
    if (!isObject(value) || !Object.hasOwn(value, step)) return undefined;
    value = value[step];
  }
  return value;
}
