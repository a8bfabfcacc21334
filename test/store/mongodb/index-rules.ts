import type { Document } from 'mongodb';

/**
 * Finds the index that serves a query, by the rules of mongod's planner: equalities on the first fields of an index, then one range, then
 * the order. It is stricter than the planner: an index that is only scanned from end to end serves nothing.
 */

export interface Index {
  readonly name: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly options?: { readonly sparse?: boolean; readonly partialFilterExpression?: Document };
}

export interface Query {
  readonly filter: Document;
  readonly sort?: Document | undefined;
}

export interface Service {
  /** Names of the indexes: one, or one for each branch of an `$or`. */
  readonly indexes: readonly string[];
  /** Fields that are compared in the documents that the index finds. */
  readonly residual: readonly string[];
}

/**
 * How a predicate bounds an index: one value, several values, an interval, presence; `null`, which an index that has every document holds for an absent field,
 * too; nothing (`$ne`, `$not`, absence).
 */
type Kind = 'one' | 'some' | 'range' | 'present' | 'null' | 'nothing';

interface Predicate {
  readonly field: string;
  readonly kind: Kind;
  readonly value?: unknown;
}

const ID: Index = { name: '_id', key: { _id: 1 } };
const RANGES = new Set(['$gt', '$gte', '$lt', '$lte']);

/** @returns null if no index serves the query. */
export function serviceOf(query: Query, indexes: readonly Index[]): Service | null {
  const { predicates, alternatives } = read(query.filter);
  const few = alternatives.flatMap((branches) => byBranches(branches, predicates, query, indexes) ?? []);
  const [fewest] = few.filter((service) => service.indexes.every((name) => holdsFew(indexes, name)));
  if (fewest !== undefined) return fewest;
  const sort = Object.entries(query.sort ?? {}).map(([field, direction]) => [field, Number(direction)] as const);
  const best = [ID, ...indexes]
    .flatMap((index) => {
      const used = usedBy(index, predicates, sort);
      return used === null ? [] : [{ index, used }];
    })
    .sort((a, b) => weigh(b, predicates) - weigh(a, predicates))[0];
  if (best !== undefined) {
    const residual = predicates.map(({ field }) => field).filter((field) => !best.used.includes(field));
    const orFields = alternatives.flat().flatMap((branch) => fieldsIn(branch));
    return { indexes: [best.index.name], residual: [...new Set([...residual, ...orFields])].sort() };
  }
  return few[0] ?? null;
}

/** An index that contains few documents: reading all of it is still less than another index would find. */
const holdsFew = (indexes: readonly Index[], name: string): boolean =>
  indexes.some((index) => index.name === name && index.options?.sparse === true);

/** Each branch of an `$or` is served by an index of its own, without an order. */
function byBranches(
  branches: readonly Document[],
  predicates: readonly Predicate[],
  query: Query,
  indexes: readonly Index[],
): Service | null {
  if (Object.keys(query.sort ?? {}).length > 0) return null;
  const served = branches.map((branch) => serviceOf({ filter: branch }, indexes));
  if (served.some((one) => one === null)) return null;
  return {
    indexes: [...new Set(served.flatMap((one) => one?.indexes ?? []))],
    residual: [
      ...new Set([...predicates.map(({ field }) => field), ...served.flatMap((one) => one?.residual ?? [])]),
    ].sort(),
  };
}

/** An identity finds least; otherwise the index that leaves the fewest fields to compare is best. */
function weigh({ index, used }: { index: Index; used: readonly string[] }, predicates: readonly Predicate[]): number {
  const isIdentity = index === ID && predicates.some(({ field, kind }) => field === '_id' && isEquality(kind));
  return isIdentity ? Number.POSITIVE_INFINITY : used.length;
}

const isEquality = (kind: Kind): boolean => kind === 'one' || kind === 'some' || kind === 'null';

/** Fields by which an index bounds the documents that are read; null if it bounds nothing, cannot be used, or has another order. */
function usedBy(
  { key, options = {} }: Index,
  predicates: readonly Predicate[],
  sort: readonly (readonly [string, number])[],
): string[] | null {
  const of = (field: string): Predicate | undefined =>
    predicates.filter((one) => one.field === field).sort((a, b) => ORDER[a.kind] - ORDER[b.kind])[0];
  const fields = Object.keys(key);
  // an absent field is not in a sparse index
  if (options.sparse && !fields.some((field) => !['null', 'nothing'].includes(of(field)?.kind ?? 'nothing')))
    return null;
  const partial = Object.entries(options.partialFilterExpression ?? {});
  for (const [field, value] of partial) {
    const there = of(field);
    const isImplied = isOperators(value)
      ? !['null', 'nothing'].includes(there?.kind ?? 'nothing') && value.$exists === true
      : there?.kind === 'one' && there.value === value;
    if (!isImplied) return null;
  }
  // the whole index, which contains only documents that have the field
  const holdsPresent = options.sparse === true || partial.some(([, value]) => isOperators(value));
  const used: string[] = [];
  let equalities = 0;
  for (const field of fields) {
    const found = of(field)?.kind ?? 'nothing';
    const kind = found === 'null' && holdsPresent ? 'nothing' : found;
    if (kind === 'nothing' || (kind === 'present' && !holdsPresent)) break;
    used.push(field);
    if (!isEquality(kind)) break;
    equalities += 1;
  }
  // null alone finds every document that lacks the field
  const isBounded = used.some((field) => of(field)?.kind !== 'null');
  if (!isBounded || !isInOrder(fields.slice(equalities), key, sort, of)) return null;
  return used;
}

const ORDER: Readonly<Record<Kind, number>> = { one: 0, some: 1, range: 2, present: 3, null: 4, nothing: 5 };

/** Whether the entries of an index are in this order: `rest` are its fields behind those that are fixed. */
function isInOrder(
  rest: readonly string[],
  key: Index['key'],
  sort: readonly (readonly [string, number])[],
  of: (field: string) => Predicate | undefined,
): boolean {
  const open = sort.filter(([field]) => of(field)?.kind !== 'one');
  const directions = new Set(open.map(([field, direction]) => direction * Number(key[field] ?? 0)));
  return open.every(([field], n) => rest[n] === field) && directions.size <= 1;
}

function read(filter: Document): { predicates: Predicate[]; alternatives: Document[][] } {
  const predicates: Predicate[] = [];
  const alternatives: Document[][] = [];
  for (const [field, condition] of Object.entries(filter)) {
    if (field === '$and') {
      for (const part of (condition as Document[]).map(read)) {
        predicates.push(...part.predicates);
        alternatives.push(...part.alternatives);
      }
    } else if (field === '$or') alternatives.push(condition as Document[]);
    else if (field === '$nor') {
      for (const inner of (condition as Document[]).flatMap(fieldsIn))
        predicates.push({ field: inner, kind: 'nothing' });
    } else if (field.startsWith('$')) throw new Error(`an operator without a rule: ${field}`);
    else predicates.push(...conditionsOn(field, condition));
  }
  return { predicates, alternatives };
}

function conditionsOn(field: string, condition: unknown): Predicate[] {
  if (!isOperators(condition)) return [{ field, kind: condition === null ? 'null' : 'one', value: condition }];
  return Object.entries(condition).map(([operator, value]) => {
    if (operator === '$eq') return { field, kind: value === null ? 'null' : 'one', value } as const;
    if (operator === '$in') {
      const holdsNull = (value as unknown[]).includes(null);
      return {
        field,
        kind: holdsNull ? 'nothing' : (value as unknown[]).length === 1 ? 'one' : 'some',
        value: (value as unknown[])[0],
      };
    }
    if (RANGES.has(operator)) return { field, kind: 'range' } as const;
    if (operator === '$exists') return { field, kind: value === true ? 'present' : 'nothing' } as const;
    if (
      operator === '$type' ||
      operator === '$ne' ||
      operator === '$nin' ||
      operator === '$not' ||
      operator === '$size'
    )
      return { field, kind: 'nothing' } as const;
    throw new Error(`an operator without a rule: ${operator} of ${field}`);
  });
}

function isOperators(condition: unknown): condition is Document {
  if (typeof condition !== 'object' || condition === null || Object.getPrototypeOf(condition) !== Object.prototype)
    return false;
  const names = Object.keys(condition);
  return names.length > 0 && names.every((name) => name.startsWith('$'));
}

const fieldsIn = (filter: Document): string[] =>
  Object.entries(filter).flatMap(([field, condition]) =>
    field.startsWith('$') ? (condition as Document[]).flatMap(fieldsIn) : [field],
  );
