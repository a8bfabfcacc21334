import type { Batch } from '@drover/client';
import { type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { number } from '../ui/format.ts';
import { Section } from '../ui/page.tsx';

const { batch: t } = strings;

type Errors = Pick<NonNullable<Batch['errors']>, 'summary'> & { readonly details?: Readonly<Record<string, string>> };
type Code = keyof typeof strings.cures;

/** Item statuses of a code; every other one is `failed`. */
const STATUS: Partial<Record<Code, string>> = {
  dependency_expired: 'expired',
  cancelled: 'cancelled',
};

/** Messages that are shown of all faults together. */
const EXAMPLES = 3;

/** Faults by their code, the most frequent first, each with what to do about it. @param place of the list of items; absent: there is none. */
export function Faults({ errors, place }: { errors: Errors; place?: Place }) {
  const codes = (Object.entries(errors.summary) as [Code, number][]).sort(([, a], [, b]) => b - a);
  const examples = Object.entries(errors.details ?? {}).slice(0, EXAMPLES);
  if (codes.length === 0) return null;
  return (
    <Section title={t.faults}>
      <ul className="faults">
        {codes.map(([code, n]) => (
          <li className="fault" key={code}>
            <span className="fault-count">{number(n)}</span>
            <div>
              <code>{code}</code>
              <p className="muted">{strings.cures[code]}</p>
            </div>
            {place && (
              <a className="button button-small" href={to(place.path, { items: STATUS[code] ?? 'failed' })}>
                {t.showFaulty}
              </a>
            )}
          </li>
        ))}
      </ul>
      {examples.length > 0 && (
        <ul className="examples small">
          {examples.map(([index, message]) => (
            <li key={index}>
              <span className="muted">{t.example(index)}</span> {message}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
