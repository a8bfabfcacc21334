import { parentPort } from 'node:worker_threads';
import type { ItemError } from '../../domain/batch/outcome.ts';
import { type CompiledSchema, compilationFault, compileSchema } from '../../domain/schema/compiler.ts';
import type { JsonObject } from '../../domain/write/resource.ts';

/** A request to a validation thread: the faults of a resource, or whether a schema can be compiled at all. */
export interface ThreadRequest {
  /** JSON text of the schema. */
  readonly schema: string;
  readonly externalIdField: string;
  /** JSON text of the resource; absent: only the schema is checked. */
  readonly data?: string;
}

export type ThreadAnswer =
  /** The thread begins to validate the resource. */
  | { readonly kind: 'compiled' }
  | { readonly kind: 'faults'; readonly faults: ItemError[] }
  | { readonly kind: 'compilation'; readonly fault: string | null }
  | { readonly kind: 'error'; readonly message: string };

/** Compiled schemas that a thread keeps. Each takes megabytes, and the memory of the thread is bounded. */
const MAX_KEPT = 3;

const kept = new Map<string, CompiledSchema>();

function schemaOf({ schema, externalIdField }: ThreadRequest): CompiledSchema {
  const key = `${externalIdField}\n${schema}`;
  const compiled = kept.get(key) ?? compileSchema(JSON.parse(schema) as JsonObject, externalIdField);
  // an empty resource is validated at once; it initialises everything that resources need
  if (!kept.has(key)) compiled.faults({});
  kept.delete(key);
  kept.set(key, compiled);
  const oldest = kept.keys().next();
  if (kept.size > MAX_KEPT && !oldest.done) kept.delete(oldest.value);
  return compiled;
}

function answer(request: ThreadRequest): ThreadAnswer {
  try {
    if (request.data === undefined) {
      return { kind: 'compilation', fault: compilationFault(JSON.parse(request.schema), request.externalIdField) };
    }
    const compiled = schemaOf(request);
    post({ kind: 'compiled' });
    return { kind: 'faults', faults: compiled.faults(JSON.parse(request.data) as JsonObject) };
  } catch (error) {
    return { kind: 'error', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

const post = (message: ThreadAnswer): void => parentPort?.postMessage(message);

parentPort?.on('message', (request: ThreadRequest) => post(answer(request)));
