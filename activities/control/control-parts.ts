import { Confirmations } from '../../services/batches/confirmations.ts';
import type { ActivityContext } from '../activity-context.ts';

/** What controlling batches needs, in a worker: a start that fails is left to recovery. */
export const controlParts = (context: ActivityContext) => ({
  ...context,
  confirmations: new Confirmations(context),
  startFailed: () => undefined,
  isTemporalThere: async () => true,
  assertStarts: async () => undefined,
});
