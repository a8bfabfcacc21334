import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { vi } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../../../domain/batch/search-attributes.ts';

const { INDEXED_VALUE_TYPE_INT, INDEXED_VALUE_TYPE_KEYWORD } = proto.temporal.api.enums.v1.IndexedValueType;

/** How long Temporal may take to know a new namespace, and its attributes, everywhere. */
const PATIENCE = { timeout: 30_000, interval: 100 };

/**
 * Makes a namespace, so that a query that selects everything meets only the executions of one test file.
 * @returns its name, once it can be used with the search attributes of Drover and two of the tests.
 */
export async function createNamespace(address: string): Promise<string> {
  const namespace = `test-${process.pid}-${Date.now().toString(36)}`;
  const connection = await Connection.connect({ address });
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    const keywords = Object.values(SEARCH_ATTRIBUTES).map((name) => [name, INDEXED_VALUE_TYPE_KEYWORD]);
    const searchAttributes = Object.fromEntries([
      ...keywords,
      ['City', INDEXED_VALUE_TYPE_KEYWORD],
      ['Amount', INDEXED_VALUE_TYPE_INT],
    ]);
    await vi.waitFor(() => connection.operatorService.addSearchAttributes({ namespace, searchAttributes }), PATIENCE);
    const client = new Client({ connection, namespace });
    await vi.waitFor(() => client.workflow.count('City IS NULL AND DroverStatus IS NULL'), PATIENCE);
    return namespace;
  } finally {
    await connection.close();
  }
}
