import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { SEARCH_ATTRIBUTES } from '../../domain/batch/search-attributes.ts';
import { hasStatus, NOT_FOUND } from '../executions/executions.ts';

/** The parts that Drover needs in a Temporal operated by others: a namespace, and the search attributes of batches. */

const { IndexedValueType } = proto.temporal.api.enums.v1;
const KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;

/** gRPC status codes. */
const ALREADY_EXISTS = 6;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const UNAUTHENTICATED = 16;

/** Retention of a namespace that `npm run setup` creates, in seconds: a week. */
const RETENTION_SECONDS = 7 * 24 * 60 * 60;

/**
 * The parts that are missing, or of another type than required, in words for an operator; empty if nothing is missing. Parts that the account may
 * not read count as present: a refused start says more.
 * @throws if Temporal cannot be reached.
 */
export async function missingSetup(client: Client): Promise<string[]> {
  const { namespace } = client.options;
  try {
    await client.workflowService.describeNamespace({ namespace });
  } catch (error) {
    if (hasStatus(error, NOT_FOUND)) return [`namespace "${namespace}"`];
    if (!mayNotAsk(error)) throw error;
  }
  const types = await readTypes(client);
  if (types === null) return [];
  return Object.values(SEARCH_ATTRIBUTES).flatMap((name) => {
    const type = types.get(name);
    if (type === undefined) return [`search attribute ${name} (Keyword)`];
    return type === KEYWORD ? [] : [`search attribute ${name} as Keyword: it is registered with another type`];
  });
}

const mayNotAsk = (error: unknown): boolean => hasStatus(error, PERMISSION_DENIED, UNAUTHENTICATED, UNIMPLEMENTED);

async function readTypes(client: Client): Promise<Map<string, number> | null> {
  const { namespace } = client.options;
  try {
    const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
    return new Map(Object.entries(customAttributes ?? {}));
  } catch (error) {
    if (mayNotAsk(error)) return null;
    throw error;
  }
}

/** Creates the namespace if it does not exist. @returns whether this call has created it. */
export async function createNamespace(client: Client): Promise<boolean> {
  const { namespace } = client.options;
  try {
    await client.workflowService.describeNamespace({ namespace });
    return false;
  } catch (error) {
    if (!hasStatus(error, NOT_FOUND)) throw error;
  }
  try {
    await client.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: RETENTION_SECONDS as never },
    });
    return true;
  } catch (error) {
    if (hasStatus(error, ALREADY_EXISTS)) return false;
    throw error;
  }
}

/** Registers the search attributes that are missing. Safe to repeat. @returns their names. */
export async function registerSearchAttributes(client: Client): Promise<string[]> {
  const { namespace } = client.options;
  const { operatorService } = client.connection;
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const missing = Object.values(SEARCH_ATTRIBUTES).filter((name) => !(name in (customAttributes ?? {})));
  if (missing.length === 0) return [];
  try {
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
    await operatorService.addSearchAttributes({ namespace, searchAttributes });
  } catch (error) {
    // another setup has registered them meanwhile
    if (!hasStatus(error, ALREADY_EXISTS)) throw error;
  }
  return missing;
}
