import { expect, test } from 'vitest';
import { dataOfEnvelope } from '../../../domain/imports/envelope.ts';

const ROW = {
  id: '0190',
  schemaDefinitionId: '0191',
  resourceExternalId: 'paris',
  data: { externalId: 'paris', name: 'Paris' },
  versionNumber: 3,
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
};

test('an exported resource with its envelope is its data, whatever else it looks like', () => {
  expect(dataOfEnvelope(ROW, 'externalId')).toEqual(ROW.data);
  expect(dataOfEnvelope({ ...ROW, lastWrite: { batchId: 'b', index: 1 } }, 'externalId')).toEqual(ROW.data);
  expect(dataOfEnvelope({ ...ROW, data: { id: 'paris' } }, 'id')).toEqual({ id: 'paris' });
});

test.each([
  ['a resource', { externalId: 'paris', data: {} }],
  ['one with another field', { ...ROW, externalId: 'paris' }],
  ['one whose data is of another resource', { ...ROW, data: { externalId: 'rome' } }],
  ['one whose data is no object', { ...ROW, data: [] }],
  ['one that lacks a field', { ...ROW, versionNumber: undefined, updatedAt: undefined, x: 1 }],
])('%s is no envelope', (_, row) => {
  expect(dataOfEnvelope(row as never, 'externalId')).toBeNull();
});
