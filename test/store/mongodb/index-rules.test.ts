import { describe, expect, test } from 'vitest';
import { INDEXES as DECLARED } from '../../../store/mongodb/indexes.ts';
import { type Index, type Query, serviceOf } from './index-rules.ts';
import recorded from './queries.json' with { type: 'json' };

/** The rules themselves: how mongod's planner would use these indexes. */

const INDEXES: Index[] = [
  { name: 'abc', key: { a: 1, b: 1, c: -1 } },
  { name: 's', key: { s: 1 }, options: { sparse: true } },
  { name: 'partial', key: { a: 1, p: 1 }, options: { partialFilterExpression: { kind: 'x' } } },
  { name: 'present', key: { d: 1, _id: 1 }, options: { partialFilterExpression: { d: { $exists: true } } } },
  { name: 'multi', key: { list: 1, _id: 1 } },
];
const by = (filter: object, sort?: object): string | null => {
  const service = serviceOf({ filter, sort } as Query, INDEXES);
  if (service === null) return null;
  return [service.indexes.join('+'), ...service.residual].join(' ');
};

describe('an index serves', () => {
  test.each<[string, object, object | undefined, string]>([
    ['an identity, whatever else is asked', { _id: 'x', z: { $exists: false } }, undefined, '_id z'],
    ['some identities', { _id: { $in: ['x', 'y'] }, a: 1 }, undefined, '_id a'],
    ['a range of identities, in its order', { _id: { $gt: 'x', $lt: 'y' } }, { _id: -1 }, '_id'],
    ['an equality on its first field', { a: 1 }, undefined, 'abc'],
    ['equalities on its first fields', { b: { $in: [1, 2] }, a: 1 }, undefined, 'abc'],
    ['a range behind equalities', { a: 1, b: { $lt: 5 } }, undefined, 'abc'],
    ['null, which absence is too, before a range', { a: null, b: { $lt: 5 } }, undefined, 'abc'],
    ['only as far as there is no gap', { a: 1, c: 1 }, undefined, 'abc c'],
    ['not what is absent', { a: 1, b: { $exists: false } }, undefined, 'abc b'],
    ['nor what is unlike', { a: 1, b: { $ne: 1 } }, undefined, 'abc b'],
    ['nor what is not so', { a: 1, b: { $not: { $gt: 1 } } }, undefined, 'abc b'],
    ['an order behind equalities', { a: 1, b: 2 }, { c: -1 }, 'abc'],
    ['the reverse of it', { a: 1, b: 2 }, { c: 1 }, 'abc'],
    ['an order that names what is fixed', { a: 1, b: 2 }, { a: 1, c: 1 }, 'abc'],
    ['the order of a range', { a: 1, b: { $gt: 1 } }, { b: 1, c: -1 }, 'abc'],
    ['presence, where only that is in it', { s: { $exists: true }, z: 1 }, undefined, 's z'],
    ['a filter that its own is part of', { a: 1, kind: 'x', p: { $gt: 1 } }, { p: 1 }, 'partial kind'],
    ['presence, where its own filter asks for it', { d: { $exists: true } }, { d: 1, _id: 1 }, 'present'],
    ['a value, where its own filter asks for presence', { d: 5 }, { _id: 1 }, 'present'],
    ['members of a list', { list: 'x', _id: { $gt: 'y' } }, { _id: 1 }, 'multi'],
    ['each branch of an $or', { $or: [{ a: 1 }, { s: 2 }] }, undefined, 'abc+s'],
    ['conditions beside an $or', { a: 1, $or: [{ z: 1 }, { y: 2 }] }, undefined, 'abc y z'],
    ['conditions in an $and', { $and: [{ a: 1 }, { b: 2 }] }, undefined, 'abc'],
  ])('%s', (_, filter, sort, expected) => {
    expect(by(filter, sort)).toBe(expected);
  });
});

describe('no index serves', () => {
  test.each<[string, object, object | undefined]>([
    ['everything', {}, undefined],
    ['everything in an order', {}, { _id: 1 }],
    ['an equality on a field that is not the first', { b: 1 }, undefined],
    ['what is absent', { a: { $exists: false } }, undefined],
    ['null, which absence is too', { a: null }, undefined],
    ['presence, where absence is in the index too', { a: { $exists: true } }, undefined],
    ['an order over some values that it does not fix', { a: 1, b: { $gt: 1 } }, { c: 1 }],
    ['an order with a direction that it does not have', { a: 1 }, { b: 1, c: 1 }],
    ['what is absent, by a sparse one', { s: { $exists: false } }, undefined],
    ['another filter than its own', { p: { $gt: 1 }, kind: 'x' }, undefined],
    ['what is absent, by one of what is present', { d: { $exists: false } }, undefined],
    ['an $or with a branch that none serves', { $or: [{ a: 1 }, { z: 1 }] }, undefined],
    ['what none of an $nor is', { $nor: [{ a: 1 }] }, undefined],
  ])('%s', (_, filter, sort) => {
    expect(by(filter, sort)).toBe(null);
  });
});

test('an operator without a rule is an error, not a guess', () => {
  expect(() => by({ a: { $regex: 'x' } })).toThrow('without a rule');
  expect(() => by({ $where: 'x' })).toThrow('without a rule');
});

test('every index in the list of queries exists: queries that are gone leave the list', () => {
  const declared = new Set(DECLARED.map(({ collection, name }) => `${collection} ${name}`));
  const gone = Object.entries<string>(recorded).filter(([shape, service]) => {
    const [collection] = shape.split(' ');
    const indexes = (service.split(', then ')[0] ?? '').split(' + ');
    return indexes.some((name) => name !== '_id' && !declared.has(`${collection} ${name}`));
  });
  expect(gone).toEqual([]);
});
