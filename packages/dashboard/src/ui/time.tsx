import { useNow } from '../live/now.ts';
import { strings } from '../strings.ts';
import { duration, moment, relative } from './format.ts';

/** A moment beside the present one; the exact one on hover. @param at ISO date. */
export function Moment({ at }: { at: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={moment(at)}>
      {relative(Date.parse(at), now)}
    </time>
  );
}

/** How long it is until a moment, by the second. @param at ISO date. */
export function Countdown({ at }: { at: string }) {
  const left = Date.parse(at) - useNow();
  return (
    <time dateTime={at} title={moment(at)}>
      {left > 0 ? strings.time.in(duration(Math.ceil(left / 1_000) * 1_000)) : strings.time.over}
    </time>
  );
}

/** A duration, which grows as long as there is no end. */
export function Lasted({ from, until }: { from: string; until: string | undefined }) {
  const now = useNow();
  const end = until === undefined ? now : Date.parse(until);
  return <>{duration(Math.max(0, end - Date.parse(from)))}</>;
}
