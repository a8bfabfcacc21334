export { batchWorkflow } from './batch.ts';
export { bulkWorkflow } from './bulk.ts';
export { importWorkflow } from './import.ts';
export { recoveryWorkflow } from './recovery.ts';
export { sweepWorkflow } from './sweep.ts';
export { webhookWorkflow } from './webhook.ts';
