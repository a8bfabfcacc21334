import type { FormEvent } from 'react';
import type { Place } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { localTime, utcTime } from '../ui/local-time.ts';
import { Popover } from '../ui/popover.tsx';

const { batches: t } = strings;
const MOMENTS = ['createdAfter', 'createdBefore'] as const;
const TEXTS = ['label', 'createdBy', 'importId', 'externalId'] as const;
type Name = (typeof MOMENTS)[number] | (typeof TEXTS)[number];

/** Filters that are used less often; how many of them apply is on the button. */
export function MoreFilters({
  place,
  change,
}: {
  place: Place;
  change: (values: Partial<Record<Name, string>>) => void;
}) {
  const value = (name: Name): string => place.query.get(name) ?? '';
  const used = [...MOMENTS, ...TEXTS].filter((name) => value(name) !== '').length;
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name: Name): string => String(given.get(name) ?? '');
    change({
      ...Object.fromEntries(MOMENTS.map((name) => [name, utcTime(text(name))])),
      ...Object.fromEntries(TEXTS.map((name) => [name, text(name)])),
    });
  };
  return (
    <Popover label={t.filters} text={used > 0 ? t.moreUsed(used) : t.more}>
      {/* what is in the address is in the fields */}
      <form className="form more-filters" key={String(place.query)} onSubmit={submit}>
        <div className="fields">
          {MOMENTS.map((name) => (
            <label className="field" key={name}>
              <span>{t.filterNames[name]}</span>
              <input defaultValue={localTime(value(name))} name={name} type="datetime-local" />
            </label>
          ))}
          {TEXTS.map((name) => (
            <label className="field" key={name}>
              <span>{t.filterNames[name]}</span>
              <input autoComplete="off" defaultValue={value(name)} name={name} spellCheck={false} />
            </label>
          ))}
        </div>
        <button className="button button-main" type="submit">
          {t.apply}
        </button>
      </form>
    </Popover>
  );
}
