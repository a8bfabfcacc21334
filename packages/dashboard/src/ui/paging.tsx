import { type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';

const { paging: t } = strings;

/** Links to the first and the next page of a list; the browser's own button leads back. */
export function Paging({ place, cursor, isFirst }: { place: Place; cursor: string | null; isFirst: boolean }) {
  if (isFirst && cursor === null) return null;
  const query = Object.fromEntries(place.query);
  return (
    <nav aria-label={t.next} className="paging">
      {!isFirst && (
        <a className="button" href={to(place.path, { ...query, cursor: undefined })}>
          {t.first}
        </a>
      )}
      {cursor !== null && (
        <a className="button" href={to(place.path, { ...query, cursor })}>
          {t.next}
        </a>
      )}
    </nav>
  );
}
