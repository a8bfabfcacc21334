import type { Batch } from '@drover/client';
import { type FormEvent, useState } from 'react';
import { useSchemaNames } from '../data/use-schemas.ts';
import { go, type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Choice, Several } from './choices.tsx';
import { type FilterName, hasFilters } from './filter.ts';
import { MoreFilters } from './more-filters.tsx';

const { batches: t } = strings;

/** Batch types by what a user calls them. */
const TYPES = {
  PARTNER_RESOURCE_JSON_INGEST: 'upload',
  PARTNER_RESOURCE_BATCH_PATCH: 'patch',
  PARTNER_RESOURCE_BATCH_DELETE: 'delete',
  PROCESS_INSTANCE_DELETE: 'terminate',
  BATCH_UNDO: 'undo',
} as const satisfies Record<Batch['batchType'], Batch['operation']>;
const TYPE_NAMES = Object.entries(TYPES).map(([type, operation]) => [type, strings.operations[operation]] as const);

/** Filters are in the address: a link shows the same list. */
export function Filters({ place }: { place: Place }) {
  const change = (values: Partial<Record<FilterName | 'sortBy', string>>): void =>
    go(to(place.path, { ...Object.fromEntries(place.query), ...values, cursor: undefined }));
  const value = (name: string): string => place.query.get(name) ?? '';
  return (
    <search aria-label={t.filters}>
      <div className="filters">
        <Several
          any={t.anyStatus}
          label={t.status}
          onChange={(status) => change({ status })}
          options={Object.entries(strings.statuses)}
          value={value('status')}
        />
        <Several
          any={t.anyKind}
          label={t.kind}
          onChange={(batchType) => change({ batchType })}
          options={TYPE_NAMES}
          value={value('batchType')}
        />
        <SchemaFilter key={value('schema')} onChange={(schema) => change({ schema })} value={value('schema')} />
        <Choice label={t.order} onChange={(sortBy) => change({ sortBy })} value={value('sortBy')}>
          <option value="">{t.newest}</option>
          <option value="createdAt">{t.oldest}</option>
        </Choice>
        <MoreFilters change={change} place={place} />
        {hasFilters(place) && (
          <a className="button button-quiet" href={to(place.path, { sortBy: value('sortBy') })}>
            {t.clear}
          </a>
        )}
      </div>
    </search>
  );
}

/** A list of names, or a field for one, where the token may not list them. */
function SchemaFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const names = useSchemaNames();
  const [typed, setTyped] = useState(value);
  if (names === undefined) {
    const submit = (event: FormEvent): void => {
      event.preventDefault();
      onChange(typed.trim());
    };
    return (
      <form className="filter" onSubmit={submit}>
        <label>
          <span className="sr-only">{t.schema}</span>
          <input onChange={(event) => setTyped(event.target.value)} placeholder={t.anySchema} value={typed} />
        </label>
        <button className="button" type="submit">
          {t.apply}
        </button>
      </form>
    );
  }
  return (
    <Choice label={t.schema} onChange={onChange} value={value}>
      <option value="">{t.anySchema}</option>
      {value !== '' && !names.includes(value) && <option value={value}>{value}</option>}
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </Choice>
  );
}
