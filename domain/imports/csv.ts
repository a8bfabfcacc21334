import { isUtf8 } from 'node:buffer';
import { quoted } from '../json/shortened.ts';
import { hasTooManyParts } from '../json/text.ts';
import { MAX_BODY_PARTS, MAX_CSV_COLUMNS } from '../limits.ts';
import type { JsonObject } from '../write/resource.ts';
import { type Cell, type CellType, cellText, countCells, type Kind, parseRecords } from './csv-cells.ts';

/** Delimiters by the names that a request gives them. */
export const DELIMITERS = { ',': ',', ';': ';', tab: '\t' } as const;
export type DelimiterName = keyof typeof DELIMITERS;

/** Columns that results add, and those that an export adds with the envelope: an import passes them over. */
export const RESULT_COLUMNS = ['_line', '_status', '_action', '_errors'] as const;
export const ENVELOPE_COLUMNS = ['_id', '_versionNumber', '_createdAt', '_updatedAt'] as const;
const PASSED_OVER: readonly string[] = [...RESULT_COLUMNS, ...ENVELOPE_COLUMNS];

/** A column of a file: the field that it gives, and how its cells are read; null: it is passed over. */
export type Column = ({ readonly path: readonly string[] } & CellType) | null;

/** How the rows of a file are read: noted once, so that the same row always gives the same resource. */
export interface CsvFormat {
  readonly header: readonly string[];
  readonly delimiter: string;
  readonly columns: readonly Column[];
}

/** What a request says about its file. */
export interface CsvOptions {
  readonly delimiter?: DelimiterName;
  /** Names of columns, and the names of their fields: pairs, because the store does not take every name as one of a field. */
  readonly renamed?: readonly (readonly [column: string, field: string])[];
}

/** The column in which each row names its schema definition, where the import has none for all rows. */
export const SCHEMA_COLUMN = 'schema';

/** What is known of the resources of the rows. */
export interface CsvTarget {
  readonly schema: JsonObject;
  readonly externalIdField: string;
  readonly ignoreUnknownFields: boolean;
  /** A delete reads the external id alone. */
  readonly readsIdOnly?: boolean;
  /** Each row names its schema definition, in a column that is no field. */
  readonly isMixed?: boolean;
}

const BYTE_ORDER_MARK = '\ufeff';

/** How a file is read, by its header; or what is wrong with it. @param target null: each row names its schema definition. */
export function csvFormatOf(
  header: Uint8Array,
  options: CsvOptions,
  target: CsvTarget | null,
): { readonly format: CsvFormat; readonly faults: readonly string[] } {
  const text = Buffer.from(header).toString().replace(BYTE_ORDER_MARK, '');
  const delimiter = options.delimiter === undefined ? delimiterOf(text) : DELIMITERS[options.delimiter];
  const count = countCells(Buffer.from(text), delimiter) ?? 0;
  if (count > MAX_CSV_COLUMNS)
    return {
      format: { header: [], delimiter, columns: [] },
      faults: [`header: has ${count} columns, and may have ${MAX_CSV_COLUMNS}`],
    };
  const names = parseRecords(text, delimiter)?.[0] ?? [];
  const { columns, faults } = target === null ? mixedColumns(names, options) : columnsOfHeader(names, options, target);
  return {
    format: { header: names, delimiter, columns },
    faults: [
      ...(isUtf8(header) ? [] : ['header: is not valid UTF-8']),
      ...(names.length === 0 ? ['header: is not a record of CSV'] : []),
      ...faults,
    ],
  };
}

interface ReadColumns {
  readonly columns: readonly Column[];
  readonly faults: readonly string[];
}

/** What is known of the columns before the schema definitions are. */
function mixedColumns(names: readonly string[], options: CsvOptions): ReadColumns {
  const { fields, faults } = fieldsOfHeader(names, options);
  return {
    columns: [],
    faults: [
      ...faults,
      ...fields.flatMap((field, at) => faultsOfName(fields, names, at, PASSED_OVER.includes(field))),
      ...(names.includes(SCHEMA_COLUMN)
        ? []
        : [`header: there is no column "${SCHEMA_COLUMN}", and the request names no schema`]),
    ],
  };
}

/** How the columns of a file are read as fields of one schema definition. */
export function columnsOfHeader(names: readonly string[], options: CsvOptions, target: CsvTarget): ReadColumns {
  const { fields, faults: renaming } = fieldsOfHeader(names, options);
  const faults = [...renaming];
  const columns = fields.map((field, at): Column => {
    const found = fieldAt(target, field);
    // a schema may have such a field, whose column comes before that of the same name
    const isOwn = PASSED_OVER.includes(field) && (found === null || fields.indexOf(field) < at);
    faults.push(...faultsOfName(fields, names, at, isOwn));
    if (isOwn || (target.readsIdOnly && field !== target.externalIdField)) return null;
    if (target.isMixed && names[at] === SCHEMA_COLUMN) return null;
    if (found !== null) return found;
    if (!target.ignoreUnknownFields)
      faults.push(`header: the schema has no field for the column ${quoted(names[at] ?? '')}`);
    return { path: [field], kind: 'string' };
  });
  if (!columns.some((column) => column?.path.length === 1 && column.path[0] === target.externalIdField))
    faults.push(`header: there is no column for ${quoted(target.externalIdField)}`);
  return { columns, faults };
}

/** The fields that columns give, by name. */
function fieldsOfHeader(names: readonly string[], options: CsvOptions): { fields: string[]; faults: string[] } {
  const renamed = new Map(options.renamed ?? []);
  const unknown = [...renamed.keys()].filter((name) => !names.includes(name));
  return {
    fields: names.map((name) => renamed.get(name) ?? name),
    faults: unknown.map((name) => `columns: there is no column ${quoted(name)}`),
  };
}

function faultsOfName(fields: readonly string[], names: readonly string[], at: number, isOwn: boolean): string[] {
  const field = fields[at] ?? '';
  return [
    ...(field === '' ? [`header: column ${at + 1} has no name`] : []),
    ...(!isOwn && fields.indexOf(field) < at ? [`header: ${quoted(names[at] ?? '')} is given twice`] : []),
  ];
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
  if (property !== null) return { path: [name], ...typeOf(schema, property) };
  if (name === externalIdField) return { path: [name], kind: 'string' };
  const path = name.split('.');
  let at: unknown = schema;
  for (const step of path) at = propertyOf(schema, at, step);
  return path.length > 1 && at !== null ? { path, ...typeOf(schema, at) } : null;
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

function typeOf(root: JsonObject, property: unknown): CellType {
  const schema = objectOf(resolved(root, property)) ?? {};
  const types = [schema.type ?? []].flat();
  const kinds = (['number', 'boolean', 'json'] as const).filter((kind) =>
    TYPES_OF[kind].some((type) => types.includes(type)),
  );
  if (types.includes('string')) return { kind: 'string', ...(kinds.length > 0 && { bare: kinds }) };
  const [kind] = kinds;
  if (kind !== undefined) return { kind, ...(kinds.length > 1 && { bare: kinds.slice(1) }) };
  if (schema.items !== undefined || schema.properties !== undefined) return { kind: 'json' };
  const isAnything = SAYING.every((keyword) => schema[keyword] === undefined);
  return { kind: 'string', ...(isAnything && { bare: ['number', 'boolean'] }) };
}

/** Keywords, beside `type`, that say what a value may be. */
const SAYING = ['type', 'enum', 'const', '$ref', 'allOf', 'anyOf', 'oneOf', 'if', 'not'];
const TYPES_OF = {
  number: ['integer', 'number'],
  boolean: ['boolean'],
  json: ['array', 'object'],
} as const satisfies Partial<Record<Kind, readonly string[]>>;

/** A resource as a tree of JSON texts. */
type Fields = Map<string, Fields | string>;

/** The JSON text of the resource that a row gives, or why it gives none. An empty cell is no field. */
export function resourceText(
  cells: readonly Cell[],
  columns: readonly Column[],
): { readonly text: string } | { readonly fault: string } {
  if (hasTooManyParts(columns.flatMap((column, at) => (readsJson(column) ? [cells[at] ?? ''] : []))))
    return { fault: `holds more than ${MAX_BODY_PARTS} objects, arrays and members` };
  const fields: Fields = new Map();
  for (const [at, column] of columns.entries()) {
    const value = column === null ? null : cellText(cells[at] ?? '', column);
    if (column === null || value === null) continue;
    if (!put(fields, column.path, value))
      return { fault: `has a value for a part of ${quoted(column.path[0] ?? '')} beside one for the whole` };
  }
  return { text: objectText(fields) };
}

const readsJson = (column: Column): boolean => column?.kind === 'json' || column?.bare?.includes('json') === true;

/** @returns false if the field is there already, or is a part of another one. */
function put(fields: Fields, path: readonly string[], value: string): boolean {
  let inner = fields;
  for (const step of path.slice(0, -1)) {
    const next = inner.get(step) ?? new Map();
    if (typeof next === 'string') return false;
    inner.set(step, next);
    inner = next;
  }
  const last = path.at(-1) ?? '';
  if (inner.has(last)) return false;
  inner.set(last, value);
  return true;
}

const objectText = (fields: Fields): string =>
  `{${[...fields].map(([name, value]) => `${JSON.stringify(name)}:${typeof value === 'string' ? value : objectText(value)}`).join(',')}}`;
