export { batchWorkflow } from './batch.ts';
export { recoveryWorkflow } from './recovery.ts';
export { sweepWorkflow } from './sweep.ts';
