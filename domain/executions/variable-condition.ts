import { describe, readDate, readObject, readText, wrongType } from '../json/reading.ts';
import { type CamundaFault, invalidRequest, notValid } from './camunda-fault.ts';
import type { AttributeValue, Comparator, Condition } from './visibility-condition.ts';

/** A pattern of SQL's LIKE that visibility supports: a literal text, or a prefix. */
export interface TextPattern {
  readonly kind: 'equals' | 'prefix';
  readonly text: string;
}

const COMPARATORS = {
  eq: '=',
  neq: '!=',
  gt: '>',
  gteq: '>=',
  lt: '<',
  lteq: '<=',
} as const satisfies Record<string, Comparator>;

/** The engine's names of the comparisons that do not accept booleans and null. */
const ORDERINGS: Record<string, string> = {
  gt: 'greater than',
  gteq: 'greater than or equal',
  lt: 'less than',
  lteq: 'less than or equal',
  like: 'like',
};

type ComparatorName = keyof typeof COMPARATORS;

/** A condition on a process variable, which is a search attribute here. */
export type VariableCondition =
  | {
      readonly name: string;
      readonly operator: ComparatorName;
      readonly value: string | number | boolean | null;
      readonly path: string;
    }
  | { readonly name: string; readonly operator: 'like'; readonly value: TextPattern; readonly path: string };

/** `{name, operator, value}`; faults that the engine has too are in its words. */
export function readVariable(value: unknown, path: string): VariableCondition {
  const variable = readObject(value, path);
  for (const key of Object.keys(variable)) {
    if (!['name', 'operator', 'value'].includes(key))
      throw invalidRequest(`${path}.${key} is not part of a variable condition`);
  }
  const operator = variable.operator ?? null;
  if (operator !== 'like' && !isComparator(operator)) {
    throw invalidRequest(
      `Invalid variable comparator specified: ${typeof operator === 'object' ? describe(operator) : String(operator)}`,
    );
  }
  if ((variable.name ?? null) === null) throw notValid('name is null');
  const name = readText(variable.name, `${path}.name`);
  const wanted = variable.value ?? null;
  const ordering = ORDERINGS[operator];
  if (ordering !== undefined && (wanted === null || typeof wanted === 'boolean')) {
    throw notValid(`Booleans and null cannot be used in '${ordering}' condition`);
  }
  if (operator === 'like') return { name, operator, value: readPattern(wanted, `${path}.value`), path };
  if (typeof wanted === 'object' && wanted !== null)
    throw wrongType(`${path}.value`, 'a string, a number, a boolean or null', wanted);
  if (typeof wanted !== 'string' && typeof wanted !== 'number' && typeof wanted !== 'boolean' && wanted !== null) {
    throw wrongType(`${path}.value`, 'a string, a number, a boolean or null', wanted);
  }
  const text = typeof wanted === 'string' ? readText(wanted, `${path}.value`) : wanted;
  return { name, operator, value: text, path };
}

const isComparator = (operator: unknown): operator is ComparatorName =>
  typeof operator === 'string' && Object.hasOwn(COMPARATORS, operator);

/** Reads a LIKE pattern: `%` only at the end, `_` not at all, unless they are escaped by a backslash. */
export function readPattern(value: unknown, path: string): TextPattern {
  const pattern = readText(value, path);
  const prefix = /(?<!\\)(?:\\\\)*%$/.test(pattern);
  const body = prefix ? pattern.slice(0, -1) : pattern;
  if (/%|_/.test(body.replace(/\\./gsu, ''))) {
    throw invalidRequest(`${path} cannot be translated: only a pattern such as abc% can, not ${pattern}`);
  }
  return { kind: prefix ? 'prefix' : 'equals', text: body.replace(/\\([\\%_])/gu, '$1') };
}

/** Types of search attributes, as the server lists them. */
export type AttributeType = 'KEYWORD' | 'KEYWORD_LIST' | 'TEXT' | 'INT' | 'DOUBLE' | 'BOOL' | 'DATETIME';

/**
 * A variable condition as a condition on a search attribute.
 * @throws CamundaFault naming a variable that is no search attribute, or a value of the wrong type.
 */
export function variableCondition(variable: VariableCondition, types: ReadonlyMap<string, AttributeType>): Condition {
  const type = types.get(variable.name);
  if (type === undefined) {
    throw invalidRequest(`${variable.path}.name: ${variable.name} is not a search attribute of this namespace`);
  }
  const condition = bareCondition(variable, type);
  return type === 'TEXT' || type === 'KEYWORD_LIST' ? { kind: 'fuzzy', exactly: condition } : condition;
}

function bareCondition(variable: VariableCondition, type: AttributeType): Condition & { readonly attribute: string } {
  const { name: attribute, path } = variable;
  if (variable.operator === 'like') {
    if (!isText(type)) throw doesNotFit(path, attribute, type, 'like');
    const { kind, text } = variable.value;
    return kind === 'prefix'
      ? { kind, attribute, value: text }
      : { kind: 'compare', attribute, comparator: '=', value: text };
  }
  const comparator = COMPARATORS[variable.operator];
  if (variable.value === null) return { kind: comparator === '=' ? 'absent' : 'present', attribute };
  return { kind: 'compare', attribute, comparator, value: fitValue(variable.value, type, variable) };
}

const isText = (type: AttributeType): boolean => type === 'KEYWORD' || type === 'KEYWORD_LIST' || type === 'TEXT';

/** Texts of query parameters may mean numbers, booleans and dates, too. */
function fitValue(value: string | number | boolean, type: AttributeType, variable: VariableCondition): AttributeValue {
  const fault = (): CamundaFault => doesNotFit(variable.path, variable.name, type, JSON.stringify(value));
  switch (type) {
    case 'KEYWORD':
    case 'KEYWORD_LIST':
    case 'TEXT':
      return String(value);
    case 'BOOL':
      if (value === true || value === 'true') return true;
      if (value === false || value === 'false') return false;
      throw fault();
    case 'DATETIME':
      if (typeof value !== 'string') throw fault();
      return readDate(value, `${variable.path}.value`);
    case 'INT':
    case 'DOUBLE': {
      const number = typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isFinite(number)) throw fault();
      if (type === 'INT' && !Number.isSafeInteger(number)) throw fault();
      return number;
    }
  }
}

const doesNotFit = (path: string, name: string, type: AttributeType, value: string): CamundaFault =>
  invalidRequest(`${path}.value: ${value} does not fit ${name}, a search attribute of type ${type}`);
