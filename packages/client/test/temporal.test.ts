import { expect, expectTypeOf, test } from 'vitest';
import * as messages from '../../../workflows/messages.ts';
import { type AvailableResource, batchWorkflowId, dependenciesAvailableSignal, statusQuery } from '../src/temporal.ts';

test('programs get the definitions that the workflows have, and their types', () => {
  expect(dependenciesAvailableSignal).toBe(messages.dependenciesAvailableSignal);
  expect([batchWorkflowId('1'), dependenciesAvailableSignal.name, statusQuery.name]).toEqual([
    'batch-1',
    'dependenciesAvailable',
    'status',
  ]);
  expectTypeOf(dependenciesAvailableSignal).toEqualTypeOf<typeof messages.dependenciesAvailableSignal>();
  expectTypeOf<AvailableResource>().toEqualTypeOf<{
    readonly schemaDefinitionId: string;
    readonly externalId: string;
  }>();
});
