import type { Batch } from '@drover/client';
import { isFinished } from '@drover/client';

/** What can be done with a batch or an import. */
export type Verb = 'suspend' | 'resume' | 'cancel' | 'retry' | 'delete';

type State = Pick<Batch, 'status' | 'suspended' | 'counts'>;

const hasUnsuccessful = ({ counts: { failed, expired, cancelled } }: State): boolean =>
  failed + expired + cancelled > 0;

/** What its state allows now, in the order of buttons. @param isRetryable once it is finished. */
export function verbsFor(state: State, isRetryable = hasUnsuccessful(state)): Verb[] {
  if (!isFinished(state)) return [state.suspended ? 'resume' : 'suspend', 'cancel', 'delete'];
  return isRetryable ? ['retry', 'delete'] : ['delete'];
}

/** Whether it cannot be taken back by another button. */
export const isFinal = (verb: Verb): boolean => verb === 'cancel' || verb === 'delete';
