import type { ControlRequest, Halt, Journal } from '../record/journal.ts';
import type { Match } from './matched.ts';
import type { Violation } from './violation.ts';

/** Items that may have been under way at the time of the answer: one slice of the running activity. */
const SLICE = 100;

/** A suspended or cancelled batch does nothing more, from the answer on. */
export function checkHalts(journal: Journal, matches: readonly Match[]): Violation[] {
  const now = new Map(matches.map((match) => [match.state.batch.batchId, match]));
  return journal.halts.flatMap((halt): Violation[] => {
    const { tenant, batchId, verb, done, later } = halt;
    if (journal.controls.some((control) => mayHaveUndone(control, halt))) return [];
    const end = later ?? now.get(batchId)?.state.items?.filter(({ status }) => status === 'succeeded').length ?? 0;
    if (end <= done + SLICE) return [];
    const detail = `${done} items had succeeded when ${verb} was answered with 200, later ${end}`;
    return [{ tenant, batchId, rule: 'went on', detail }];
  });
}

/** Whether a request may have resumed the batch meanwhile. */
function mayHaveUndone({ batchId, verb, sentAt, status }: ControlRequest, halt: Halt): boolean {
  if (batchId !== halt.batchId || (status !== null && status >= 400 && status < 500)) return false;
  if (halt.verb === 'cancel') return verb === 'retry';
  return (verb === 'resume' || verb === 'retry') && sentAt <= halt.to;
}
