import type { Instruction, ResourceBatch } from '../../domain/batch/batch.ts';
import { acceptBatch, type ResourceBatchRequest } from '../../services/batches/accept-batch.ts';
import { batchesIn } from '../../store/batches/batches.ts';
import { findSchemaDefinition } from '../../store/definitions/schema-definitions.ts';
import type { NewItem } from '../../store/items/item-pages.ts';
import { pendingItemsIn } from '../../store/items/pending-documents.ts';
import { waitsIn } from '../../store/items/waits.ts';
import type { Database } from '../../store/mongodb/database.ts';
import type { Program } from '../../testkit/program.ts';
import { batchWorkflowId, RECOVERY_WORKFLOW_TYPE, type RecoverResult } from '../../workflows/messages.ts';
import { type Drover, spawnScript } from './drover.ts';

/** Makes the states that died processes leave behind, and runs the recovery that repairs them. */

type Request = Instruction<ResourceBatch> &
  Pick<ResourceBatchRequest, 'idempotency' | 'startAt'> & { readonly items: readonly NewItem[] };

/** A batch whose API process died before it started the workflow. @returns its id. */
export async function acceptedOnly(drover: Drover, schema: string, { items, ...about }: Request): Promise<string> {
  const definition = await findSchemaDefinition(drover.services.database, 'default', schema);
  if (definition === null) throw new Error(`no ${schema}`);
  const died = () => Promise.reject(new Error('died'));
  const batch = await acceptBatch(
    { ...drover.services, client: { workflow: { start: died } } as never },
    {
      ...about,
      scope: { platform: 'default', tenant: 'default' },
      schemaDefinitionId: definition.id,
      schemaName: definition.name,
      pageSize: 50,
      pages: [items],
    },
  );
  return batch._id;
}

export const acceptedUpload = (
  drover: Drover,
  schema: string,
  resources: readonly { externalId: string }[],
  about: Pick<Request, 'startAt'> = {},
): Promise<string> =>
  acceptedOnly(drover, schema, {
    ...about,
    operation: 'upload',
    options: { onconflict: 'upsert', ignoreUnknownFields: false, dependencyWaitTimeout: 0 },
    items: resources.map((resource) => ({ externalId: resource.externalId, body: JSON.stringify(resource) })),
  });

/** Time that a test waits for the end of a workflow, in ms. */
const RESULT_TIMEOUT_MS = 50_000;

/** Waits for the end of a workflow, longer than an API process waits for a call to Temporal. */
export const withTimeForResult = <T>({ services: { client } }: Drover, wait: () => Promise<T>): Promise<T> =>
  client.withDeadline(Date.now() + RESULT_TIMEOUT_MS, wait);

let passes = 0;

/** One pass of recovery over everything, by the Drover's worker. */
export async function recoverNow(drover: Drover): Promise<RecoverResult> {
  const { client, taskQueue } = drover.services;
  passes += 1;
  const workflowId = `${taskQueue}-recovery-now-${passes}`;
  return withTimeForResult(drover, () =>
    client.workflow.execute(RECOVERY_WORKFLOW_TYPE, { taskQueue, workflowId, args: [{ once: true }] }),
  );
}

/** Run ids of a batch's executions that Temporal still has: those of the given ids, and those that visibility lists. */
export async function executionsOf(
  { services }: Drover,
  batchId: string,
  known: readonly string[] = [],
): Promise<string[]> {
  const workflowId = batchWorkflowId(batchId);
  const found = new Set<string>();
  for await (const { runId } of services.client.workflow.list({ query: `WorkflowId = '${workflowId}'` }))
    found.add(runId);
  for (const runId of known) {
    const isThere = await services.client.workflow
      .getHandle(workflowId, runId)
      .describe()
      .then(
        () => true,
        () => false,
      );
    if (isThere) found.add(runId);
  }
  return [...found];
}

/** The waits that are stored in a tenant of the embedded platform. */
export async function waitsOf(database: Database, tenant: string): Promise<{ key: string }[]> {
  const documents = [
    ...(await waitsIn(database).find({}).toArray()),
    ...(await pendingItemsIn(database).find({}).toArray()),
  ];
  return documents.filter(({ key }) => key.startsWith(`default/${encodeURIComponent(tenant)}/`));
}

/** Every document of a batch in a database, except the write records of its resources. */
export async function tracesOf({ services }: Drover, batchId: string): Promise<string[]> {
  const { db } = batchesIn(services.database);
  const traces: string[] = [];
  for (const { name } of await db.listCollections().toArray()) {
    if (name === 'resources' || name === 'idempotency_keys') continue;
    for (const document of await db.collection(name).find({}).toArray()) {
      if (JSON.stringify(document).includes(batchId)) traces.push(`${name} ${document._id}`);
    }
  }
  return traces;
}

/**
 * An API process that dies (SIGKILL) as soon as a command on a collection was answered; `ready` is its URL.
 * @param killAfter for example `batches.insertOne`.
 */
export const spawnApi = (drover: Drover, killAfter: string): Promise<Program> =>
  spawnScript(drover, 'api-process.ts', /^ready (.+)$/, { KILL_AFTER: killAfter });
