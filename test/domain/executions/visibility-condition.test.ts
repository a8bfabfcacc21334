import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  and,
  type Condition,
  type ExecutionView,
  equals,
  holds,
  NEVER,
  or,
  renderVisibility,
} from '../../../domain/executions/visibility-condition.ts';

const execution: ExecutionView = {
  workflowId: 'order-1',
  runId: 'run-1',
  workflowType: 'order',
  taskQueue: 'orders',
  parent: null,
  root: null,
  startTime: new Date('2026-01-02T03:04:05.678Z'),
  closeTime: null,
  status: 'RUNNING',
  attributes: new Map<string, (string | number)[]>([
    ['Amount', [10]],
    ['Tags', ['new', 'Big']],
  ]),
  isLeaf: true,
};

/** Parses string literals as the server does: two quotes, or a backslash and a character, mean one character. */
function literalsIn(query: string): string[] {
  const literals: string[] = [];
  for (let at = 0; at < query.length; at++) {
    if (query[at] !== "'") continue;
    let text = '';
    for (at++; at < query.length; at++) {
      if (query[at] === '\\') text += query[++at];
      else if (query[at] !== "'") text += query[at];
      else if (query[at + 1] === "'") text += query[at++];
      else break;
    }
    literals.push(text);
  }
  return literals;
}

describe('a visibility query', () => {
  it('contains every value as one literal, whatever its characters, or not at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const { query, exact } = renderVisibility(equals('WorkflowId', value));
        if (exact) expect(literalsIn(query)).toEqual([value]);
        else expect(query).toBe('WorkflowId IS NOT NULL');
      }),
    );
  });

  it('escapes a quote instead of ending the literal', () => {
    expect(renderVisibility(equals('WorkflowId', "x' OR WorkflowId != 'y")).query).toBe(
      "WorkflowId = 'x'' OR WorkflowId != ''y'",
    );
  });

  it('selects more, never less, if a store would misread a value', () => {
    expect(renderVisibility({ kind: 'in', attribute: 'WorkflowId', values: ['a', 'b"c'] })).toEqual({
      query: 'WorkflowId IS NOT NULL',
      exact: false,
    });
    expect(renderVisibility({ kind: 'notIn', attribute: 'WorkflowType', values: ['a', 'b\\c'] })).toEqual({
      query: "WorkflowType NOT IN ('a')",
      exact: false,
    });
    expect(renderVisibility({ kind: 'prefix', attribute: 'WorkflowId', value: 'ab"c' }).query).toBe(
      "WorkflowId STARTS_WITH 'ab'",
    );
  });

  it('treats a part that cannot be queried as everything in an OR, and omits it from an AND', () => {
    const leaf: Condition = { kind: 'leaf' };
    expect(renderVisibility(or(equals('WorkflowId', 'a'), leaf))).toEqual({ query: '', exact: false });
    expect(renderVisibility(and(equals('WorkflowId', 'a'), leaf))).toEqual({ query: "WorkflowId = 'a'", exact: false });
  });

  it('with an empty list of values selects nothing', () => {
    expect(renderVisibility(NEVER)).toEqual({ query: "WorkflowId = ''", exact: true });
    expect(renderVisibility(and())).toEqual({ query: '', exact: true });
  });

  it('excludes absent values from != on every store', () => {
    const condition: Condition = { kind: 'compare', attribute: 'Amount', comparator: '!=', value: 3 };
    expect(renderVisibility(condition).query).toBe('(Amount IS NOT NULL AND Amount != 3)');
  });
});

describe('a condition on one execution', () => {
  const cases: [string, Condition, boolean][] = [
    ['equal', equals('WorkflowId', 'order-1'), true],
    ['case matters', equals('WorkflowId', 'Order-1'), false],
    ['prefix', { kind: 'prefix', attribute: 'WorkflowId', value: 'order-' }, true],
    ['prefix in another case', { kind: 'prefix', attribute: 'WorkflowId', value: 'ORDER-' }, false],
    ['number above', { kind: 'compare', attribute: 'Amount', comparator: '>', value: 9 }, true],
    ['number against text', { kind: 'compare', attribute: 'Amount', comparator: '>', value: '9' }, false],
    ['absent is not different', { kind: 'compare', attribute: 'Nope', comparator: '!=', value: 1 }, false],
    ['list contains', equals('Tags', 'Big'), true],
    [
      'list contains, so does not differ',
      { kind: 'compare', attribute: 'Tags', comparator: '!=', value: 'Big' },
      false,
    ],
    ['root', { kind: 'absent', attribute: 'ParentWorkflowId' }, true],
    [
      'before',
      { kind: 'compare', attribute: 'StartTime', comparator: '<', value: new Date('2026-01-02T03:04:05.679Z') },
      true,
    ],
    ['leaf', { kind: 'leaf' }, true],
    ['not in', { kind: 'notIn', attribute: 'WorkflowType', values: ['order'] }, false],
    ['none of nothing', NEVER, false],
  ];
  it.each(cases)('%s', (_, condition, expected) => {
    expect(holds(condition, execution)).toBe(expected);
  });
});
