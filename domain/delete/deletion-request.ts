import { invalidRequest } from '../executions/camunda-fault.ts';
import { type ProcessInstanceFilter, readProcessInstanceQuery } from '../executions/process-instance-query.ts';
import { readArray, readFlag, readObject, readText, wrongType } from '../json/reading.ts';
import { MAX_FACADE_IDS, MAX_FACADE_REASON } from '../limits.ts';

/** A checked request to delete process instances (docs/camunda.md#deleting). */
export interface DeletionRequest {
  /** As given: workflow ids or run ids, possibly repeated. */
  readonly processInstanceIds: readonly string[];
  /** null: no query. */
  readonly filter: ProcessInstanceFilter | null;
  readonly deleteReason: string | null;
  readonly skipCustomListeners: boolean;
  readonly skipSubprocesses: boolean;
  readonly failIfNotExists: boolean;
}

/**
 * Reads the body of `POST /process-instance/delete`. As in the engine, unknown fields are ignored; unknown filters
 * are refused.
 * @throws CamundaFault with the fault and its place.
 */
export function readDeletionRequest(value: unknown): DeletionRequest {
  const body = readObject(value, 'the body');
  const { processInstanceIds: ids, processInstanceQuery: query, historicProcessInstanceQuery: historic } = body;
  if (historic !== undefined && historic !== null) {
    throw invalidRequest('historicProcessInstanceQuery cannot be translated to a query on running workflow executions');
  }
  const hasIds = ids !== undefined && ids !== null;
  const hasQuery = query !== undefined && query !== null;
  return {
    processInstanceIds: hasIds ? readArray(ids, 'processInstanceIds', MAX_FACADE_IDS, readId) : [],
    filter: hasQuery ? readProcessInstanceQuery(query) : null,
    deleteReason:
      body.deleteReason === undefined || body.deleteReason === null
        ? null
        : readText(body.deleteReason, 'deleteReason', MAX_FACADE_REASON),
    skipCustomListeners: readSwitch(body, 'skipCustomListeners'),
    skipSubprocesses: readSwitch(body, 'skipSubprocesses'),
    failIfNotExists:
      body.failIfNotExists === undefined ||
      body.failIfNotExists === null ||
      readFlag(body.failIfNotExists, 'failIfNotExists'),
  };
}

function readId(value: unknown, path: string): string {
  if (value === null) throw wrongType(path, 'a process instance id', value);
  return readText(value, path);
}

/** Absent means false; the engine does not accept null for a plain boolean. */
function readSwitch(body: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = body[name];
  return value === undefined ? false : readFlag(value, name);
}
