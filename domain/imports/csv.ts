import { isUtf8 } from 'node:buffer';
import { parse } from 'csv-parse/sync';
import { quoted } from '../json/shortened.ts';
import { isJson } from '../json/text.ts';
import type { JsonObject } from '../write/resource.ts';

/** Delimiters by the names that a request gives them. */
export const DELIMITERS = { ',': ',', ';': ';', tab: '\t' } as const;
export type DelimiterName = keyof typeof DELIMITERS;

/** Columns that results add: an import passes them over. */
export const RESULT_COLUMNS = ['_line', '_status', '_action', '_errors'] as const;

/** How the cells of a column are read. */
type Kind = 'string' | 'number' | 'boolean' | 'json';

/** A column of a file: the field that it gives, and how its cells are read; null: it is passed over. */
type Column = { readonly path: readonly string[]; readonly kind: Kind } | null;

/** How the rows of a file are read: noted once, so that the same row always gives the same resource. */
export interface CsvFormat {
  readonly header: readonly string[];
  readonly delimiter: string;
  readonly columns: readonly Column[];
}

/** What a request says about its file. */
export interface CsvOptions {
  readonly delimiter?: DelimiterName;
  /** Names of columns -> names of fields. */
  readonly renamed?: Readonly<Record<string, string>>;
}

/** What is known of the resources of the rows. */
export interface CsvTarget {
  readonly schema: JsonObject;
  readonly externalIdField: string;
  readonly ignoreUnknownFields: boolean;
}

const BYTE_ORDER_MARK = '\ufeff';

/** Records of CSV; null if it is none. Every record is one of the file: none is skipped. */
export function parseRecords(text: string | Uint8Array, delimiter: string): string[][] | null {
  try {
    return parse(text as Buffer, { delimiter, relax_column_count: true, record_delimiter: ['\n', '\r\n'] });
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

/** How a file is read, by its header; or what is wrong with it. */
export function csvFormatOf(
  header: Uint8Array,
  options: CsvOptions,
  target: CsvTarget,
): { readonly format: CsvFormat; readonly faults: readonly string[] } {
  const text = Buffer.from(header).toString().replace(BYTE_ORDER_MARK, '');
  const delimiter = options.delimiter === undefined ? delimiterOf(text) : DELIMITERS[options.delimiter];
  const names = parseRecords(text, delimiter)?.[0] ?? [];
  const faults = [
    ...(isUtf8(header) ? [] : ['header: is not valid UTF-8']),
    ...(names.length === 0 ? ['header: is not a record of CSV'] : []),
  ];
  const renamed = new Map(Object.entries(options.renamed ?? {}));
  for (const name of renamed.keys())
    if (!names.includes(name)) faults.push(`columns: there is no column ${quoted(name)}`);
  const fields = names.map((name) => renamed.get(name) ?? name);
  const columns = fields.map((field, at): Column => {
    const column = quoted(names[at] ?? '');
    if (RESULT_COLUMNS.some((own) => own === field)) return null;
    if (field === '') faults.push(`header: column ${at + 1} has no name`);
    if (fields.indexOf(field) < at) faults.push(`header: ${column} is given twice`);
    const found = fieldAt(target, field);
    if (found !== null) return found;
    if (!target.ignoreUnknownFields) faults.push(`header: the schema has no field for the column ${column}`);
    return { path: [field], kind: 'string' };
  });
  const paths = columns.flatMap((column) => (column === null ? [] : [column.path]));
  for (const path of paths)
    if (paths.some((other) => other.length < path.length && other.every((step, at) => step === path[at])))
      faults.push(`header: ${quoted(path.join('.'))} is a part of another column`);
  if (!paths.some((path) => path.length === 1 && path[0] === target.externalIdField))
    faults.push(`header: there is no column for ${quoted(target.externalIdField)}`);
  return { format: { header: names, delimiter, columns }, faults };
}

/** The delimiter that the header has most often outside of quotes; a comma if it has none. */
function delimiterOf(header: string): string {
  const bare = header.replaceAll(/"[^"]*"/g, '');
  const counted = Object.values(DELIMITERS).map((one) => [one, bare.split(one).length] as const);
  return counted.reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

/** The field that a column gives: a property of that name, or one inside of another (`a.b`). Null if the schema has none. */
function fieldAt({ schema, externalIdField }: CsvTarget, name: string): Column {
  const property = propertyOf(schema, schema, name);
  if (property !== null) return { path: [name], kind: kindOf(schema, property) };
  if (name === externalIdField) return { path: [name], kind: 'string' };
  const path = name.split('.');
  let at: unknown = schema;
  for (const step of path) at = propertyOf(schema, at, step);
  return path.length > 1 && at !== null ? { path, kind: kindOf(schema, at) } : null;
}

function propertyOf(root: JsonObject, at: unknown, name: string): unknown {
  const properties = objectOf(resolved(root, at))?.properties;
  const found = objectOf(properties);
  return found !== undefined && Object.hasOwn(found, name) ? found[name] : null;
}

const objectOf = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;

/** Local `$ref`s that are followed: more than a schema needs, fewer than one in a circle has. */
const MOST_REFS = 10;

/** The subschema that a local `$ref` means. */
function resolved(root: JsonObject, at: unknown): unknown {
  let now = at;
  for (let n = 0; n < MOST_REFS; n++) {
    const ref = objectOf(now)?.$ref;
    if (typeof ref !== 'string' || !ref.startsWith('#/')) return now;
    const steps = ref
      .slice(2)
      .split('/')
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    now = steps.reduce<unknown>((inner, step) => {
      const object = objectOf(inner);
      return object !== undefined && Object.hasOwn(object, step) ? object[step] : undefined;
    }, root);
  }
  return now;
}

function kindOf(root: JsonObject, property: unknown): Kind {
  const { type, items, properties } = objectOf(resolved(root, property)) ?? {};
  const types = [type].flat();
  if (types.includes('string')) return 'string';
  if (types.includes('integer') || types.includes('number')) return 'number';
  if (types.includes('boolean')) return 'boolean';
  const isNested =
    types.includes('array') || types.includes('object') || items !== undefined || properties !== undefined;
  return isNested ? 'json' : 'string';
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
/** A cell that means null. */
const NULL = '\\N';

/** A resource as a tree of JSON texts. */
type Fields = Map<string, Fields | string>;

/** The JSON text of the resource that a row gives. An empty cell is no field; what cannot be read by its type stays a text, which fails the row. */
export function resourceText(cells: readonly string[], { columns }: CsvFormat): string {
  const fields: Fields = new Map();
  for (const [at, column] of columns.entries()) {
    const cell = cells[at] ?? '';
    if (column === null || cell === '') continue;
    let inner = fields;
    for (const step of column.path.slice(0, -1)) {
      const next = inner.get(step);
      const object: Fields = next instanceof Map ? next : new Map();
      inner.set(step, object);
      inner = object;
    }
    inner.set(column.path.at(-1) ?? '', valueText(cell, column.kind));
  }
  return objectText(fields);
}

const objectText = (fields: Fields): string =>
  `{${[...fields].map(([name, value]) => `${JSON.stringify(name)}:${typeof value === 'string' ? value : objectText(value)}`).join(',')}}`;

function valueText(cell: string, kind: Kind): string {
  if (cell === NULL) return 'null';
  if (kind === 'number' && NUMBER.test(cell)) return cell;
  if (kind === 'boolean' && (cell === 'true' || cell === 'false')) return cell;
  if (kind === 'json' && isJson(cell)) return cell;
  return JSON.stringify(cell);
}
