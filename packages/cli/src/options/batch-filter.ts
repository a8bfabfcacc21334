import type { BatchFilter } from '@drover/client';
import { type Command, InvalidArgumentError } from 'commander';
import { toDate } from './about.ts';

const STATUSES = ['queued', 'processing', 'waiting', 'success', 'partial_success', 'failed', 'cancelled'];

/** Which batches a command is about. */
export interface FilterFlags {
  readonly status?: string;
  readonly schema?: string;
  readonly label?: string;
  readonly type?: string;
  readonly createdAfter?: string;
  readonly createdBefore?: string;
  readonly createdBy?: string;
  readonly import?: string;
  readonly externalId?: string;
}

/** Adds the filters of batches. */
export const filterOptions = (command: Command): Command =>
  command
    .option('--status <status>', `only in this status, or these with commas: ${STATUSES.join(', ')}`, toStatuses)
    .option('--schema <schema>', 'only of this schema definition, or these with commas', notEmpty)
    .option('--label <label>', 'only with this label', notEmpty)
    .option('--type <type>', 'only of this batchType, or these with commas', notEmpty)
    .option('--created-after <date>', 'only accepted after it: 2026-11-28, or 2026-11-28T22:00:00Z', toDate)
    .option('--created-before <date>', 'only accepted before it', toDate)
    .option('--created-by <subject>', 'only of this caller: the sub of the token', notEmpty)
    .option('--import <import>', 'only of this import', notEmpty)
    .option('--external-id <id>', 'only with an item for this resource', notEmpty);

/** The filter that was said, by the names of the service; empty if none was. */
export function filterOf({ type, import: importId, ...flags }: FilterFlags): BatchFilter {
  const { status, schema, label, createdAfter, createdBefore, createdBy, externalId } = flags;
  const filter = {
    status,
    schema,
    label,
    batchType: type,
    createdAfter,
    createdBefore,
    createdBy,
    importId,
    externalId,
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/** A variable of a script that is not set is no filter less: more batches would fit. */
function notEmpty(value: string): string {
  if (value !== '') return value;
  throw new InvalidArgumentError('It is empty.');
}

function toStatuses(value: string): string {
  if (value.split(',').every((status) => STATUSES.includes(status))) return value;
  throw new InvalidArgumentError(`Allowed choices are ${STATUSES.join(', ')}; several with commas.`);
}
