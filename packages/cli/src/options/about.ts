import { type Command, InvalidArgumentError } from 'commander';
import { toNumber } from './numbers.ts';

/** What is said of a batch or import as a whole. */
interface AboutFlags {
  readonly label?: string;
  readonly priority?: number;
  readonly startAt?: string;
}

/** How it is kept. */
export interface KeptFlags extends AboutFlags {
  readonly undoable?: true;
  readonly retentionDays?: number;
}

/** How a batch is carried out. */
export interface BatchFlags extends KeptFlags {
  readonly resourcesPerActivity?: number;
}

/** Adds `--label`, `--priority` and `--start-at`. */
const aboutOptions = (command: Command): Command =>
  command
    .option('--label <label>', 'a name to find it by')
    .option('--priority <n>', '1 (urgent) to 5 (3): what it goes before', toNumber(1, 5))
    .option('--start-at <date>', 'nothing of it begins before: 2026-11-28T22:00:00Z, within 30 days', toDate);

/** The same, `--undoable` and `--retention-days`. */
export const keptOptions = (command: Command): Command =>
  aboutOptions(command)
    .option('--undoable', 'keep what is replaced, so that it can be taken back: see undo')
    .option('--retention-days <n>', 'days that it is kept once it has finished; 0: for ever', toNumber(0, 365));

/** The same, and how a batch of resources is carried out. */
export const batchOptions = (command: Command): Command =>
  keptOptions(command).option('--resources-per-activity <n>', 'how far a batch fans out', toNumber(1, 1000));

/** What of this was said. */
export const keptOf = ({ label, priority, startAt, undoable, retentionDays }: KeptFlags) => ({
  ...(label && { label }),
  ...(priority !== undefined && { priority }),
  ...(startAt && { startAt }),
  ...(undoable && { undoable }),
  ...(retentionDays !== undefined && { retentionDays }),
});

/** What of this was said. */
export const batchOf = ({ resourcesPerActivity, ...kept }: BatchFlags) => ({
  ...keptOf(kept),
  ...(resourcesPerActivity !== undefined && { resourcesPerActivity }),
});

/** The same text, once it is a date with a zone or without a time: what the service takes. */
export function toDate(value: string): string {
  const isWritten = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(value);
  if (isWritten && !Number.isNaN(Date.parse(value))) return value;
  throw new InvalidArgumentError('a date, or a time with its zone: 2026-11-28, or 2026-11-28T22:00:00Z');
}
