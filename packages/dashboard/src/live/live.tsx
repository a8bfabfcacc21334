import { strings } from '../strings.ts';
import type { Liveness } from './use-live.ts';

/** Whether what is shown is shown as it changes. */
export function Live({ liveness }: { liveness: Liveness }) {
  return <span className={`live live-${liveness}`}>{strings.live[liveness]}</span>;
}
