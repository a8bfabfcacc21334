import { counted } from '../domain/counted.ts';
import type { BatchInput, ItemsOfBatch, RecordedState, StepOfBatch } from './messages.ts';

/** Longest summary that is sent to Temporal, in characters; a schema name may have 128. */
const MAX_SUMMARY_LENGTH = 200;

type Named = Pick<BatchInput, 'operation' | 'schemaName' | 'total'>;
type Indexes = ItemsOfBatch['indexes'];

/**
 * What the Temporal UI shows beside each activity of a batch: numbers, and the name of the schema (invariant 7). A summary is no
 * part of a command: a replay does not compare it.
 */
export function batchSummaries(batch: Named) {
  const { operation, total } = batch;
  const items = (count: number, kind = ''): string => itemsOf(batch, count, kind);
  return {
    plan: (): string => short(`plan ${operation}: ${items(total)}`),
    runSmall: (): string => short(`plan, apply and finish ${operation}: ${items(total)}`),
    apply: ({ indexes, requeuesBlocked }: ItemsOfBatch): string =>
      short(`${operation} ${items(indexes.length, requeuesBlocked ? 'pending' : '')} (${rangeOf(indexes)})`),
    // a step whose resources no item asks for has no items
    deleteStep: ({ step }: StepOfBatch, count: number): string =>
      short(`delete ${count === 0 ? 'cascaded resources' : items(count)} (step ${step})`),
    undoStep: ({ step }: StepOfBatch, count: number): string => short(`undo ${items(count)} (step ${step})`),
    check: ({ indexes }: ItemsOfBatch): string =>
      short(`check missing references of ${items(indexes.length, 'pending')}`),
    expire: ({ indexes }: ItemsOfBatch): string =>
      short(`expire ${items(indexes.length, 'pending')} (${rangeOf(indexes)})`),
    record: ({ cancelled, suspended, status }: RecordedState): string =>
      `store batch status: ${cancelled ? 'cancelled' : suspended ? 'suspended' : status}`,
    finish: (): string => short(`finish ${operation}: ${items(total)}`),
  };
}

function itemsOf({ operation, schemaName }: Named, count: number, kind: string): string {
  if (operation === 'terminate') return counted(count, 'execution');
  return `${counted(count, kind === '' ? 'item' : `${kind} item`)} of ${schemaName}`;
}

/** The lowest and the highest index: the items of one activity are in the order of their references, and may have gaps. */
function rangeOf(indexes: Indexes): string {
  const first = indexes.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const last = indexes.reduce((a, b) => Math.max(a, b), 0);
  return first === last ? `index ${first}` : `indexes ${first} to ${last}`;
}

const short = (summary: string): string => summary.slice(0, MAX_SUMMARY_LENGTH);
