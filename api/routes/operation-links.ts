/** Where one operation leads to others, for readers and generators of the OpenAPI document (OpenAPI 3.1, section 4.8.20). */

/** What an answer has, and the operations that take it as a parameter. */
interface Link {
  readonly operationId: string;
  readonly status: string;
  /** Where the answer has the value. */
  readonly value: string;
  readonly parameter: string;
  readonly to: readonly string[];
}

const OF_BATCH = [
  'getBatch',
  'listBatchItems',
  'watchBatch',
  'suspendBatch',
  'resumeBatch',
  'cancelBatch',
  'retryBatch',
  'deleteBatch',
];
const OF_IMPORT = [
  'getImport',
  'listImportBatches',
  'listImportParts',
  'listImportResults',
  'suspendImport',
  'resumeImport',
  'cancelImport',
  'retryImport',
  'undoImport',
  'deleteImport',
];
const BATCH_ID = { value: '$response.body#/data/batchId', parameter: 'batchId' };
const IMPORT_ID = { value: '$response.body#/data/importId', parameter: 'importId' };
const WEBHOOK_ID = { value: '$response.body#/data/webhookId', parameter: 'webhookId' };
const BULK_ID = { value: '$response.body#/data/bulkOperationId', parameter: 'bulkOperationId' };
const OF_BULK = ['getBulkOperation', 'cancelBulkOperation'];
const OF_WEBHOOK = [
  'getWebhook',
  'changeWebhook',
  'deleteWebhook',
  'rotateWebhookSecret',
  'testWebhook',
  'listDeliveries',
];
const CAMUNDA_BATCH = { value: '$response.body#/id', parameter: 'batchId' };

const LINKS: readonly Link[] = [
  ...['uploadResources', 'patchResources', 'deleteResources', 'deleteResourcesByPost'].map((operationId) => ({
    ...{ operationId, status: '202', to: OF_BATCH },
    ...BATCH_ID,
  })),
  { operationId: 'startImport', status: '202', to: OF_IMPORT, ...IMPORT_ID },
  { operationId: 'startImport', status: '201', to: ['putImportPart', 'sealImport', ...OF_IMPORT], ...IMPORT_ID },
  { operationId: 'createWebhook', status: '201', to: OF_WEBHOOK, ...WEBHOOK_ID },
  ...['cancelBatches', 'suspendBatches', 'resumeBatches', 'retryBatches', 'deleteBatches'].map((operationId) => ({
    ...{ operationId, status: '202', to: OF_BULK },
    ...BULK_ID,
  })),
  { operationId: 'undoImport', status: '202', to: OF_BULK, ...BULK_ID },
  { operationId: 'sealImport', status: '200', to: OF_IMPORT, ...IMPORT_ID },
  {
    ...{ operationId: 'createSchemaDefinition', status: '201', value: '$response.body#/data/id' },
    ...{ parameter: 'nameOrId', to: ['getSchemaDefinition', 'replaceSchemaDefinition', 'deleteSchemaDefinition'] },
  },
  {
    ...{ operationId: 'createSchemaDefinition', status: '201', value: '$response.body#/data/id' },
    ...{ parameter: 'schemaDefinitionNameOrId', to: ['uploadResources', 'patchResources', 'listResources'] },
  },
  {
    ...{ operationId: 'camundaDeleteProcessInstances', status: '200', ...CAMUNDA_BATCH },
    to: ['camundaGetBatch', 'camundaSuspendBatch', 'camundaDeleteBatch', 'camundaGetHistoricBatch'],
  },
];

interface Answer {
  links?: Record<string, unknown>;
}
interface Operation {
  readonly operationId?: string;
  readonly responses?: Readonly<Record<string, Answer>>;
}

/**
 * Adds the links to a document. @throws if an operation is not in it: a mistake in this file, found at the start.
 */
export function addLinks(paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>): void {
  const operations = new Map<string, Operation>();
  for (const methods of Object.values(paths)) {
    for (const operation of Object.values(methods)) operations.set(operation.operationId ?? '', operation);
  }
  for (const { operationId, status, value, parameter, to } of LINKS) {
    const answer = operations.get(operationId)?.responses?.[status];
    if (answer === undefined) throw new Error(`${operationId} has no answer ${status} to link from`);
    for (const target of to) {
      if (!operations.has(target)) throw new Error(`there is no operation ${target} to link to`);
      // answers are shared between operations
      answer.links = { ...answer.links, [target]: { operationId: target, parameters: { [parameter]: value } } };
    }
  }
}
