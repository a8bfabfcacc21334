import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { atOnce } from '../../../domain/collections/run-yielding.ts';
import { MAX_REFERENCES } from '../../../domain/limits.ts';
import { compileSchema } from '../../../domain/schema/compiler.ts';
import {
  type BoundReference,
  decidingWrites,
  type ResourceState,
  type WriteItem,
  type WriteRules,
} from '../../../domain/write/decide-writes.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';

const schema = compileSchema(
  {
    type: 'object',
    properties: {
      n: { type: 'integer' },
      name: { type: 'string' },
      to: { type: 'array', items: { $ref: 'reach:schemas/x' } },
    },
    required: ['name'],
  },
  'externalId',
);
const UPSERT: WriteRules = { operation: 'upload', onconflict: 'upsert', ignoreUnknownFields: false, schema };
const REJECT: WriteRules = { ...UPSERT, onconflict: 'reject' };
const PATCH: WriteRules = { ...UPSERT, operation: 'patch' };

const decideWrites = (...given: Parameters<typeof decidingWrites<WriteItem>>) => atOnce(decidingWrites(...given));

const keyOf = (id: string): string => `p/t/s/${id}`;
const reference = (id: string): BoundReference => ({
  key: keyOf(id),
  place: { outer: null, step: 'to' },
  schemaDefinitionId: 's',
  schemaName: 'x',
  externalId: id,
});

function item(id: string, body: JsonObject, to: readonly string[] = [], rules = UPSERT): WriteItem {
  return {
    key: keyOf(id),
    body: { externalId: id, ...body, ...(to.length > 0 && { to: [...to] }) },
    references: to.map(reference),
    rules,
  };
}
const good = (id: string, ...to: string[]): WriteItem => item(id, { name: id }, to);

function stored(...ids: string[]): Map<string, ResourceState> {
  return new Map(ids.map((id) => [keyOf(id), { data: { externalId: id, name: 'old' }, version: 1 }]));
}

/** For each item its action, the codes of its errors, or its missing references. */
function decide(items: readonly WriteItem[], exists: Map<string, ResourceState> = new Map()): string[] {
  const { decisions } = decideWrites(items, exists, (key) => exists.has(key));
  return items.map((each) => {
    const decision = decisions.get(each);
    if (decision?.kind === 'written') return decision.action;
    if (decision?.kind === 'missing') return `misses ${decision.missing.map(({ externalId }) => externalId).join()}`;
    return decision?.errors.map(({ code }) => code).join() ?? 'undecided';
  });
}

describe('items of one resource', () => {
  test('apply in order, each over the ones before it that succeed', () => {
    const items = [good('a'), item('a', { n: 'x' }), item('a', { n: 1 }), item('a', { n: 1 }), item('a', { n: null })];
    expect(decide(items)).toEqual(['created', 'validation', 'updated', 'unchanged', 'updated']);
    const { changed, decisions } = decideWrites(items, new Map(), () => false);
    const data = { externalId: 'a', name: 'a' };
    expect(changed.get(keyOf('a'))).toEqual({ data, version: 3, bytes: 35, references: [] });
    expect(decisions.get(items[3] as WriteItem)).toMatchObject({ version: 2 });
  });

  test('with reject conflict with a stored resource and with the item before', () => {
    const bodies = ['a', 'b', 'b'].map((id) => item(id, { name: id }, [], REJECT));
    expect(decide(bodies, stored('a'))).toEqual(['conflict', 'created', 'conflict']);
  });

  test('are decided again without an item that misses a reference', () => {
    const items = [
      item('a', { name: 'one', n: 1 }, ['z'], REJECT),
      item('a', { name: 'two' }, [], REJECT),
      good('b', 'a'),
    ];
    expect(decide(items)).toEqual(['misses z', 'created', 'created']);
  });

  test('patch a stored resource, or one that an item before has created', () => {
    expect(decide([item('a', { n: 1 }, [], PATCH), item('b', { n: 1 }, [], PATCH)], stored('b'))).toEqual([
      'not_found',
      'updated',
    ]);
  });
});

describe('an item', () => {
  test('that changes nothing does not change the state', () => {
    const items = [item('a', { name: 'old' })];
    expect(decide(items, stored('a'))).toEqual(['unchanged']);
    expect(decideWrites(items, stored('a'), () => false).changed.size).toBe(0);
  });

  test('fails at once for faults that no other resource can resolve, and does not wait', () => {
    const items = [
      item('a', { name: 7 }, ['z']),
      item('b', { name: 'b', x: 1 }, ['z']),
      item('c', { name: null }, ['z']),
      item('d', { name: 'd' }, ['z']),
    ];
    expect(decide(items)).toEqual(['validation', 'unknown_field', 'required_field', 'misses z']);
  });

  test('is refused for null in an unknown field; with ignoreUnknownFields it is not saved', () => {
    const [strict, lenient] = [
      item('a', { name: 'a', x: null }),
      item('b', { name: 'b', x: null, y: 1 }, [], { ...UPSERT, ignoreUnknownFields: true }),
    ];
    expect(decide([strict, lenient])).toEqual(['unknown_field', 'created']);
    expect(decideWrites([lenient], new Map(), () => false).changed.get(lenient.key)?.data).toEqual({
      externalId: 'b',
      name: 'b',
    });
  });

  test('has at most 20 faults, with shortened names', () => {
    const fields = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${n}${'x'.repeat(10_000)}`, 1]));
    const flood = item('a', { name: 'a', ...fields });
    const decision = decideWrites([flood], new Map(), () => false).decisions.get(flood);
    expect(decision?.kind === 'failed' && decision.errors).toHaveLength(20);
    expect(JSON.stringify(decision).length).toBeLessThan(20 * 600);
  });

  test('fails if the merged resource would have too many references, or too many bytes of them', () => {
    const ids = (count: number, length: number) =>
      Array.from({ length: count }, (_, n) => String(n).padStart(length, 'x'));
    const exists = (key: string): boolean => key !== keyOf('a');
    const outcomeOf = (to: string[], data: JsonObject): string | undefined => {
      const decision = decisionOf(to, data);
      if (decision?.kind === 'failed') expect(decision.errors).toMatchObject([{ code: 'validation', field: 'to' }]);
      return decision?.kind === 'failed' ? decision.errors[0]?.message : decision?.kind;
    };
    const decisionOf = (to: string[], data: JsonObject) => {
      const each = item('a', { name: 'a' }, to);
      const state = new Map([[each.key, { data: { externalId: 'a', name: 'a', ...data }, version: 1 }]]);
      return decideWrites([each], state, exists).decisions.get(each);
    };
    expect(outcomeOf(ids(MAX_REFERENCES, 6), {})).toBe('written');
    expect(outcomeOf(ids(MAX_REFERENCES + 1, 6), {})).toMatch(/more than 10000 references/);
    expect(
      outcomeOf(
        ids(MAX_REFERENCES, 256).map((id) => id.replaceAll('x', '😀')),
        {},
      ),
    ).toMatch(/larger than/);
  });

  test('fails if it is larger as a document than MongoDB holds, however small its text is', () => {
    const n = Array.from({ length: 1_300_000 }, () => 1);
    expect(JSON.stringify(n).length).toBeLessThan(3 * 1024 * 1024);
    const each = item('a', { n }, [], { ...UPSERT, schema: compileSchema({ properties: { n: {} } }, 'externalId') });
    expect(decideWrites([each], new Map(), () => true).decisions.get(each)).toMatchObject({
      kind: 'failed',
      errors: [{ code: 'validation', field: 'n', message: expect.stringContaining('larger than') }],
    });
  });
});

describe('references', () => {
  test('are satisfied in any order, by cycles and by the item itself', () => {
    expect(decide([good('a', 'b'), good('b', 'c'), good('c', 'a', 'c'), good('d', 'a')])).toEqual(
      Array.from({ length: 4 }, () => 'created'),
    );
  });

  test('of a cycle fail together, and with them the items that refer to it', () => {
    expect(decide([good('a', 'b'), item('b', { name: 1 }, ['a']), good('c', 'a'), good('d')])).toEqual([
      'misses b',
      'validation',
      'misses a',
      'created',
    ]);
  });

  test('are satisfied by a stored resource, whatever the outcome of another item for it', () => {
    expect(decide([good('a', 'b'), item('b', { name: 1 })], stored('b'))).toEqual(['created', 'validation']);
  });

  test('report everything that is missing in the end', () => {
    expect(decide([good('a', 'z', 'b'), good('b', 'c'), good('c', 'y')])).toEqual([
      'misses z,b',
      'misses c',
      'misses y',
    ]);
  });
});

test('the largest set of items is written that needs only itself and stored resources', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e'];
  const name = fc.constantFrom(...NAMES);
  const items = fc.array(
    fc.record({
      id: name,
      to: fc.uniqueArray(fc.constantFrom(...NAMES, 'z'), { maxLength: 2 }),
      isBad: fc.boolean(),
      rejects: fc.boolean(),
    }),
    { maxLength: 7 },
  );
  fc.assert(
    fc.property(items, fc.uniqueArray(name, { maxLength: 2 }), (planned, there) => {
      const batch = planned.map(({ id, to, isBad, rejects }) =>
        item(id, { name: isBad ? 1 : id }, to, rejects ? REJECT : UPSERT),
      );
      const state = stored(...there);
      const { decisions, changed } = decideWrites(batch, state, (key) => state.has(key));
      const isThere = (key: string): boolean => state.has(key) || changed.has(key);
      for (const each of batch) {
        const decision = decisions.get(each);
        if (decision?.kind === 'written') expect(each.references.every(({ key }) => isThere(key))).toBe(true);
        if (decision?.kind === 'missing') {
          expect(decision.missing).toEqual(each.references.filter(({ key }) => key !== each.key && !isThere(key)));
          expect(decision.missing).not.toEqual([]);
        }
      }
      // none of the held items could have been applied: every set of them is tried
      const held = batch.filter((each) => decisions.get(each)?.kind === 'missing');
      for (let bits = 1; bits < 1 << held.length; bits++) {
        const tried = new Set(held.filter((_, at) => bits & (1 << at)));
        const keys = new Set([...tried].map(({ key }) => key));
        const supported = [...tried].every(({ references }) =>
          references.every(({ key }) => isThere(key) || keys.has(key)),
        );
        expect(supported).toBe(false);
      }
      const versions = [...changed].map(([key, { version }]) => version - (state.get(key)?.version ?? 0));
      const writes = batch.filter((each) => {
        const decision = decisions.get(each);
        return decision?.kind === 'written' && decision.action !== 'unchanged';
      });
      expect(versions.reduce((sum, n) => sum + n, 0)).toBe(writes.length);
    }),
    { numRuns: 500 },
  );
});
