export { batchWorkflow } from './batch.ts';
export { bulkWorkflow, importUndoWorkflow } from './bulk/bulk.ts';
export { importWorkflow } from './import.ts';
export { recoveryWorkflow } from './recovery.ts';
export { sweepWorkflow } from './sweep.ts';
export { webhookWorkflow } from './webhooks/webhook.ts';
