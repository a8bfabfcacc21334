export { batchWorkflow } from './batch.ts';
export { importWorkflow } from './import.ts';
export { recoveryWorkflow } from './recovery.ts';
export { sweepWorkflow } from './sweep.ts';
