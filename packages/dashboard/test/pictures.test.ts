import type { SchemaDefinition } from '@drover/client';
import { expect, test } from 'vitest';
import { waitGraph } from '../src/batch/wait-graph.ts';
import { referencesOf } from '../src/data/references.ts';
import { NODE, schemaLayout } from '../src/data/schema-layout.ts';
import { fieldsOf } from '../src/imports/schema-fields.ts';
import { wholeRows } from '../src/imports/whole-rows.ts';
import { Pace } from '../src/live/pace.ts';

const AT = '2026-01-01T00:00:00.000Z';
const pending = (id: number, missing: readonly string[], expiresAt = AT) => ({
  id: `p${id}`,
  resourceExternalId: `city ${id}`,
  schemaDefinitionId: 's',
  schemaName: 'city',
  expiresAt,
  createdAt: AT,
  missingDependencies: missing.map((externalId) => ({ schemaDefinitionId: 'c', schemaName: 'country', externalId })),
  missingTotal: missing.length,
});

test('missing resources are shown by how many items they hold up, and every item that is not shown is in a line', () => {
  const items = Array.from({ length: 500 }, (_, at) => pending(at, [`C${at % 20 < 11 ? 0 : at % 20}`, 'ALL']));
  const graph = waitGraph(items);
  expect(graph.missing.slice(0, 2).map(({ externalId, holdsUp }) => [externalId, holdsUp])).toEqual([
    ['ALL', 500],
    ['C0', 275],
  ]);
  expect(graph.missingTotal).toBe(11);
  expect(graph.missing).toHaveLength(8);
  for (const [at, { holdsUp }] of graph.missing.entries()) {
    const drawn = graph.lines.filter(({ from }) => from === at);
    expect(drawn.reduce((sum, line) => sum + line.items, 0)).toBe(holdsUp);
  }
});

test('of what waits for one resource, that whose deadline is next is shown first', () => {
  const late = Array.from({ length: 30 }, (_, at) => pending(at, ['X'], '2026-02-01T00:00:00.000Z'));
  expect(waitGraph([...late, pending(99, ['X'])]).items.map(({ id }) => id)).toContain('p99');
});

test('nothing that waits is an empty picture', () => {
  expect(waitGraph([])).toEqual({ missing: [], missingTotal: 0, items: [], lines: [] });
});

const definition = (name: string, referenceSchemas: string[] = [], more: Partial<SchemaDefinition> = {}) =>
  ({ id: `id-${name}`, name, referenceSchemas, ...more }) as SchemaDefinition;

test('what refers is left of what it refers to, by whatever name and case; what is not defined is in the picture, too', () => {
  const { nodes, edges } = schemaLayout([
    definition('country', [], { pluralName: 'countries' }),
    definition('city', ['COUNTRIES', 'mayor']),
    definition('airport', ['id-city', 'country']),
  ]);
  const x = Object.fromEntries(nodes.map((node) => [node.name, node.x]));
  expect(x.airport).toBeLessThan(x.city ?? 0);
  expect(x.city).toBeLessThan(x.country ?? 0);
  expect(nodes.find(({ name }) => name === 'mayor')?.isDefined).toBe(false);
  expect(edges).toHaveLength(4);
  const around = edges.find(({ from, to }) => from.name === 'airport' && to.name === 'country');
  expect(around?.below).toBeGreaterThan(NODE.height);
});

test('cycles and references to itself have an end, and no two nodes are in one place', () => {
  const ring = Array.from({ length: 40 }, (_, at) => definition(`s${at}`, [`s${(at + 1) % 40}`, `s${at}`]));
  const { nodes, edges } = schemaLayout(ring);
  expect(nodes).toHaveLength(40);
  expect(edges).toHaveLength(80);
  expect(new Set(nodes.map(({ x, y }) => `${x} ${y}`)).size).toBe(40);
});

test('a resource refers by its values of reference fields, each once', () => {
  const schema = {
    properties: {
      country: { $ref: 'reach:schemas/country' },
      friends: { type: 'array', items: { $ref: 'drover:schemas/city' } },
      name: { type: 'string' },
      own: { $ref: '#/$defs/x' },
    },
  };
  const data = { country: 'CH', friends: ['a', 'b', 'a'], name: 'CH', own: 'x' };
  expect(
    referencesOf({ data }, { schema }).map(({ field, schemaName, externalId }) => [field, schemaName, externalId]),
  ).toEqual([
    ['country', 'country', 'CH'],
    ['friends', 'city', 'a'],
    ['friends', 'city', 'b'],
  ]);
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const cut = (text: string, format: 'csv' | 'ndjson'): string =>
  new TextDecoder().decode(wholeRows(bytes(text), format));

test('the first rows of a file end with a whole row, also where a cell has lines of its own', () => {
  expect(cut('{"a":"\\""}\n{"b":1}\n{"c', 'ndjson')).toBe('{"a":"\\""}\n{"b":1}\n');
  expect(cut('a,b\n1,"x\ny"\n2,"x\n', 'csv')).toBe('a,b\n1,"x\ny"\n');
  expect(cut('no end', 'csv')).toBe('no end');
});

test('a column is read as the external id, a field, or a field inside of one', () => {
  const schema = {
    type: 'object',
    properties: { name: {}, place: { type: 'object', properties: { lat: {}, lon: {} } }, code: {} },
  };
  expect(fieldsOf({ schema, externalIdField: 'code' })).toEqual(['code', 'name', 'place.lat', 'place.lon']);
  expect(fieldsOf({ schema: { type: 'object' }, externalIdField: 'externalId' })).toEqual(['externalId']);
});

test('a list is read four times a second while it changes, ever less often while it does not or cannot be read, and at once again', () => {
  const pace = new Pace();
  const [one, other] = [{}, {}];
  const read = (data: unknown, dataUpdatedAt: number, errorUpdatedAt = 0) =>
    pace.next({ data, dataUpdatedAt, errorUpdatedAt });
  expect([read(one, 1), read(one, 1), read(other, 2)]).toEqual([250, 250, 250]);
  expect([read(other, 3), read(other, 4), read(other, 4, 5), read(other, 4, 6)]).toEqual([500, 1000, 2000, 4000]);
  expect([read(other, 4, 7), read(other, 8), read(one, 9)]).toEqual([4000, 4000, 250]);
});
