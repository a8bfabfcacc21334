import type { Batch } from '@drover/client';
import { type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { number } from '../ui/format.ts';
import { ITEM_STATUSES } from '../ui/status.tsx';

/** The status by which items are filtered, as the address says. */
export const itemStatusOf = ({ query }: Place) => ITEM_STATUSES.find((status) => status === query.get('items'));

/** Counts that are links: each filters the items by its status. */
export function Counts({ batch: { counts, progress }, place }: { batch: Batch; place: Place }) {
  const chosen = itemStatusOf(place);
  const shown = ITEM_STATUSES.filter((status) => counts[status] > 0 || status === chosen);
  return (
    <ul className="counts">
      <li>
        <a aria-current={chosen === undefined} className="count" href={to(place.path)}>
          <b>{number(progress.totalRecords)}</b> {strings.batch.allItems}
        </a>
      </li>
      {shown.map((status) => (
        <li key={status}>
          <a
            aria-current={status === chosen}
            className={`count count-${status}`}
            href={to(place.path, { items: status })}
          >
            <span aria-hidden="true" className="dot" />
            <b>{number(counts[status])}</b> {strings.itemStatuses[status]}
          </a>
        </li>
      ))}
    </ul>
  );
}
