import type { Batch } from '@drover/client';
import { strings } from '../strings.ts';
import { number } from '../ui/format.ts';
import { CountBar, ITEM_STATUSES } from '../ui/status.tsx';

/** What would become of items: how many of each status, and what those that succeed would do. */
export function Outcomes({ counts, actions }: Pick<Batch, 'counts' | 'actions'>) {
  const effects = (Object.entries(actions) as [keyof Batch['actions'], number][]).filter(([, n]) => n > 0);
  return (
    <>
      <CountBar counts={counts} isLarge />
      <ul className="counts">
        {ITEM_STATUSES.filter((status) => counts[status] > 0).map((status) => (
          <li className={`count count-${status}`} key={status}>
            <span aria-hidden="true" className="dot" />
            <b>{number(counts[status])}</b> {strings.itemStatuses[status]}
          </li>
        ))}
        {effects.map(([action, n]) => (
          <li className="count" key={action}>
            <b>{number(n)}</b> {strings.actions[action]}
          </li>
        ))}
      </ul>
    </>
  );
}
