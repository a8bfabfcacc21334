import { type Command, InvalidArgumentError } from 'commander';
import { toNumber } from './numbers.ts';

/** What is said of a batch or import as a whole. */
export interface AboutFlags {
  readonly label?: string;
  readonly priority?: number;
  readonly startAt?: string;
}

/** How batches are kept and carried out. */
export interface KeptFlags extends AboutFlags {
  readonly undoable?: true;
  readonly retentionDays?: number;
  readonly resourcesPerActivity?: number;
}

/** Adds `--label`, `--priority` and `--start-at`. */
export const aboutOptions = (command: Command): Command =>
  command
    .option('--label <label>', 'a name to find it by')
    .option('--priority <n>', '1 (urgent) to 5 (3): what it goes before', toNumber(1, 5))
    .option('--start-at <date>', 'nothing of it begins before: 2026-11-28T22:00:00Z, within 30 days', toDate);

/** The same, and how batches of resources are kept and carried out. */
export const keptOptions = (command: Command): Command =>
  aboutOptions(command)
    .option('--undoable', 'keep what is replaced, for drover batch undo')
    .option('--retention-days <n>', 'days that the batches are kept; 0: for ever', toNumber(0, 365))
    .option('--resources-per-activity <n>', 'how far a batch fans out', toNumber(1, 1000));

/** What of this was said. */
export const aboutOf = ({ label, priority, startAt }: AboutFlags) => ({
  ...(label && { label }),
  ...(priority !== undefined && { priority }),
  ...(startAt && { startAt }),
});

/** What of this was said. */
export const keptOf = ({ undoable, retentionDays, resourcesPerActivity, ...about }: KeptFlags) => ({
  ...aboutOf(about),
  ...(undoable && { undoable }),
  ...(retentionDays !== undefined && { retentionDays }),
  ...(resourcesPerActivity !== undefined && { resourcesPerActivity }),
});

/** The same text, once it is a date with a zone or without a time: what the service takes. */
export function toDate(value: string): string {
  const isWritten = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(value);
  if (isWritten && !Number.isNaN(Date.parse(value))) return value;
  throw new InvalidArgumentError('a date, or a time with its zone: 2026-11-28, or 2026-11-28T22:00:00Z');
}
