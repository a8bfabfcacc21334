export { batchWorkflow } from './batch.ts';
export { sweepWorkflow } from './sweep.ts';
