import { MAX_FACADE_CONDITIONS, MAX_VISIBILITY_QUERY } from '../limits.ts';
import { invalidRequest } from './camunda-fault.ts';

/**
 * Conditions on workflow executions, with two readings that agree: as a visibility query, which the server answers from its
 * index, and as a test of one execution. The server's reading may select more if its store cannot express the condition (see
 * `renderVisibility`); the test is exact, so code that lists executions applies both.
 */

/** The known properties of one execution, from visibility or from a description. */
export interface ExecutionView {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowType: string;
  readonly taskQueue: string;
  readonly parent: { readonly workflowId: string; readonly runId: string } | null;
  readonly root: { readonly workflowId: string; readonly runId: string } | null;
  readonly startTime: Date;
  readonly closeTime: Date | null;
  /** `RUNNING`, `COMPLETED`, … as the SDK names them. */
  readonly status: string;
  /** Search attributes with a value, by name. */
  readonly attributes: ReadonlyMap<string, readonly AttributeValue[]>;
  /** Whether no child of it runs; null if that is not known. */
  readonly isLeaf: boolean | null;
}

export type AttributeValue = string | number | boolean | Date;

/** Attributes that every execution has; every other name is a search attribute. */
type BuiltInAttribute =
  | 'WorkflowId'
  | 'RunId'
  | 'WorkflowType'
  | 'TaskQueue'
  | 'ParentWorkflowId'
  | 'ParentRunId'
  | 'RootWorkflowId'
  | 'StartTime'
  | 'CloseTime'
  | 'ExecutionStatus';

export type Comparator = '=' | '!=' | '>' | '>=' | '<' | '<=';

export type Condition =
  /** False if the attribute is absent, for `!=` too. */
  | {
      readonly kind: 'compare';
      readonly attribute: string;
      readonly comparator: Comparator;
      readonly value: AttributeValue;
    }
  | { readonly kind: 'in' | 'notIn'; readonly attribute: string; readonly values: readonly string[] }
  | { readonly kind: 'prefix'; readonly attribute: string; readonly value: string }
  | { readonly kind: 'absent' | 'present'; readonly attribute: string }
  /** Stores compare such a value word by word or without regard to case, so the server is only asked whether the attribute has a value. */
  | { readonly kind: 'fuzzy'; readonly exactly: Condition & { readonly attribute: string } }
  /** No child of it runs: visibility cannot be queried for this. */
  | { readonly kind: 'leaf' }
  /** `and` without parts is true, `or` without parts is false. */
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] };

export const and = (...of: readonly Condition[]): Condition => ({ kind: 'and', of });
export const or = (...of: readonly Condition[]): Condition => ({ kind: 'or', of });
export const equals = (attribute: string, value: AttributeValue): Condition => ({
  kind: 'compare',
  attribute,
  comparator: '=',
  value,
});
export const NEVER: Condition = { kind: 'or', of: [] };

interface VisibilityQuery {
  /** Matches every execution for which the condition holds; '' matches all. */
  readonly query: string;
  /** Whether it matches no other execution. If not, counting means listing and testing. */
  readonly exact: boolean;
}

/**
 * The query in Temporal's list filter language. Wider than the condition where the SQL stores of server 1.29 read a value as
 * something else (a double quote, a backslash, a control character, a quote at either end), where they do not distinguish
 * case (`STARTS_WITH`, keyword lists) and where there is no operator. Every part is widened separately, and parts are
 * never negated, so the whole is never narrower than the condition.
 */
export function renderVisibility(condition: Condition): VisibilityQuery {
  const rendered = render(condition);
  return { query: rendered.text ?? '', exact: rendered.exact };
}

/**
 * Checks that Temporal can answer a query that combines filters of a caller.
 * @throws CamundaFault if it has too many conditions, or is too long.
 */
export function assertBounded(condition: Condition): void {
  const conditions = countConditions(condition);
  if (conditions > MAX_FACADE_CONDITIONS)
    throw invalidRequest(`the query has ${conditions} conditions; it can have ${MAX_FACADE_CONDITIONS}`);
  const { length } = renderVisibility(condition).query;
  if (length > MAX_VISIBILITY_QUERY)
    throw invalidRequest(`the query has ${length} characters when written out; it can have ${MAX_VISIBILITY_QUERY}`);
}

function countConditions(condition: Condition): number {
  if (condition.kind !== 'and' && condition.kind !== 'or') return 1;
  return condition.of.reduce((sum, part) => sum + countConditions(part), 0);
}

interface Rendered {
  /** null: true for every execution. */
  readonly text: string | null;
  readonly exact: boolean;
}

const EVERYTHING: Rendered = { text: null, exact: false };
const NOTHING: Rendered = { text: "WorkflowId = ''", exact: true };

function render(condition: Condition): Rendered {
  switch (condition.kind) {
    case 'and':
      return renderAll(condition.of);
    case 'or':
      return renderAny(condition.of);
    case 'leaf':
      return EVERYTHING;
    case 'fuzzy':
      return { ...renderPresence(condition.exactly.attribute, 'present'), exact: false };
    case 'absent':
    case 'present':
      return renderPresence(condition.attribute, condition.kind);
    case 'prefix':
      return renderPrefix(condition.attribute, condition.value);
    case 'in':
    case 'notIn':
      return renderList(condition);
    case 'compare':
      return renderComparison(condition);
  }
}

function renderAll(conditions: readonly Condition[]): Rendered {
  const parts = conditions.map(render);
  const texts = parts.flatMap((part) => part.text ?? []);
  const exact = parts.every((part) => part.exact);
  if (texts.length === 0) return { text: null, exact };
  return { text: texts.length === 1 ? (texts[0] ?? null) : `(${texts.join(' AND ')})`, exact };
}

function renderAny(conditions: readonly Condition[]): Rendered {
  if (conditions.length === 0) return NOTHING;
  const parts = conditions.map(render);
  const exact = parts.every((part) => part.exact);
  const texts = parts.map((part) => part.text);
  if (texts.includes(null)) return { text: null, exact };
  return { text: texts.length === 1 ? (texts[0] ?? null) : `(${texts.join(' OR ')})`, exact };
}

function renderPresence(attribute: string, kind: 'absent' | 'present'): Rendered {
  return { text: `${name(attribute)} IS ${kind === 'absent' ? 'NULL' : 'NOT NULL'}`, exact: true };
}

function renderPrefix(attribute: string, prefix: string): Rendered {
  const [plain = ''] = prefix.split(UNSPEAKABLE, 1);
  const safe = plain.replace(/^'.*$|'+$/su, '');
  if (safe === '') return { ...renderPresence(attribute, 'present'), exact: prefix === '' };
  return { text: `${name(attribute)} STARTS_WITH ${literal(safe)}`, exact: false };
}

function renderList(condition: Extract<Condition, { kind: 'in' | 'notIn' }>): Rendered {
  const { attribute, kind, values } = condition;
  if (kind === 'in') {
    if (values.length === 0) return NOTHING;
    if (!values.every(isSpeakable)) return { ...renderPresence(attribute, 'present'), exact: false };
    return { text: `${name(attribute)} IN (${values.map(literal).join(', ')})`, exact: true };
  }
  const speakable = values.filter(isSpeakable);
  const exact = speakable.length === values.length;
  if (speakable.length === 0) return { ...renderPresence(attribute, 'present'), exact };
  return { text: `${name(attribute)} NOT IN (${speakable.map(literal).join(', ')})`, exact };
}

function renderComparison(condition: Extract<Condition, { kind: 'compare' }>): Rendered {
  const { attribute, comparator, value } = condition;
  if (typeof value === 'string' && !isSpeakable(value))
    return { ...renderPresence(attribute, 'present'), exact: false };
  const text = `${name(attribute)} ${comparator} ${literal(value)}`;
  // Stores differ in the meaning of `!=` for an absent value.
  return { text: comparator === '!=' ? `(${name(attribute)} IS NOT NULL AND ${text})` : text, exact: true };
}

/** Characters that the server escapes once more before its store sees them, so that no literal can contain them. */
const UNSPEAKABLE = /["\\\p{Cc}]/u;

function isSpeakable(value: string): boolean {
  return !UNSPEAKABLE.test(value) && !value.startsWith("'") && !value.endsWith("'");
}

/** A name in back quotes is never a keyword. Names come from the server's own list, so they contain no back quote. */
const name = (attribute: string): string =>
  /^\w+$/.test(attribute) ? attribute : `\`${attribute.replaceAll('`', '')}\``;

function literal(value: AttributeValue): string {
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
  return value instanceof Date ? `'${value.toISOString()}'` : String(value);
}

/** Whether a condition holds for one execution. */
export function holds(condition: Condition, execution: ExecutionView): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.of.every((part) => holds(part, execution));
    case 'or':
      return condition.of.some((part) => holds(part, execution));
    case 'leaf':
      return execution.isLeaf === true;
    case 'fuzzy':
      return holds(condition.exactly, execution);
    case 'absent':
      return valuesOf(condition.attribute, execution).length === 0;
    case 'present':
      return valuesOf(condition.attribute, execution).length > 0;
    case 'prefix':
      return valuesOf(condition.attribute, execution).some((value) => String(value).startsWith(condition.value));
    case 'in':
      return valuesOf(condition.attribute, execution).some((value) => condition.values.includes(String(value)));
    case 'notIn': {
      const values = valuesOf(condition.attribute, execution);
      return values.length > 0 && !values.some((value) => condition.values.includes(String(value)));
    }
    case 'compare':
      return compareAll(condition.comparator, valuesOf(condition.attribute, execution), condition.value);
  }
}

/** Whether `isLeaf` occurs anywhere in a condition. */
export function asksForLeaves(condition: Condition): boolean {
  if (condition.kind === 'and' || condition.kind === 'or') return condition.of.some(asksForLeaves);
  return condition.kind === 'leaf';
}

/** A list differs from a value when none of its members is that value. */
function compareAll(comparator: Comparator, actual: readonly AttributeValue[], wanted: AttributeValue): boolean {
  if (comparator === '!=') return actual.length > 0 && !actual.some((value) => compareOne('=', value, wanted));
  return actual.some((value) => compareOne(comparator, value, wanted));
}

function compareOne(comparator: Exclude<Comparator, '!='>, actual: AttributeValue, wanted: AttributeValue): boolean {
  const [left, right] = [comparable(actual), comparable(wanted)];
  if (typeof left !== typeof right) return false;
  switch (comparator) {
    case '=':
      return left === right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
  }
}

const comparable = (value: AttributeValue): string | number | boolean =>
  value instanceof Date ? value.getTime() : value;

function valuesOf(attribute: string, execution: ExecutionView): readonly AttributeValue[] {
  const builtIn: Record<BuiltInAttribute, AttributeValue | undefined> = {
    WorkflowId: execution.workflowId,
    RunId: execution.runId,
    WorkflowType: execution.workflowType,
    TaskQueue: execution.taskQueue,
    ParentWorkflowId: execution.parent?.workflowId,
    ParentRunId: execution.parent?.runId,
    RootWorkflowId: execution.root?.workflowId,
    StartTime: execution.startTime,
    CloseTime: execution.closeTime ?? undefined,
    ExecutionStatus: execution.status === 'RUNNING' ? 'Running' : execution.status,
  };
  if (isBuiltIn(attribute, builtIn)) {
    const value = builtIn[attribute];
    return value === undefined ? [] : [value];
  }
  return execution.attributes.get(attribute) ?? [];
}

function isBuiltIn(attribute: string, builtIn: object): attribute is BuiltInAttribute {
  return Object.hasOwn(builtIn, attribute);
}
