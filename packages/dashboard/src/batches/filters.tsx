import type { Batch } from '@drover/client';
import { type FormEvent, type ReactNode, useState } from 'react';
import { useSchemaNames } from '../data/use-schemas.ts';
import { go, type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';

const { batches: t } = strings;

/** Batch types by what a user calls them. */
const TYPES = {
  PARTNER_RESOURCE_JSON_INGEST: 'upload',
  PARTNER_RESOURCE_BATCH_PATCH: 'patch',
  PARTNER_RESOURCE_BATCH_DELETE: 'delete',
  PROCESS_INSTANCE_DELETE: 'terminate',
  BATCH_UNDO: 'undo',
} as const satisfies Partial<Record<Batch['batchType'], Batch['operation']>>;

const NAMES = ['status', 'batchType', 'schema'] as const;

export const hasFilters = ({ query }: Place): boolean => NAMES.some((name) => query.get(name));

/** Filters are in the address: a link shows the same list. */
export function Filters({ place }: { place: Place }) {
  const set = (name: string, value: string): void =>
    go(to(place.path, { ...Object.fromEntries(place.query), [name]: value, cursor: undefined }));
  const value = (name: string): string => place.query.get(name) ?? '';
  return (
    <search aria-label={t.filters} className="filters">
      <Choice label={t.status} onChange={(chosen) => set('status', chosen)} value={value('status')}>
        <option value="">{t.anyStatus}</option>
        {Object.entries(strings.statuses).map(([status, name]) => (
          <option key={status} value={status}>
            {name}
          </option>
        ))}
      </Choice>
      <Choice label={t.kind} onChange={(chosen) => set('batchType', chosen)} value={value('batchType')}>
        <option value="">{t.anyKind}</option>
        {Object.entries(TYPES).map(([type, operation]) => (
          <option key={type} value={type}>
            {strings.operations[operation]}
          </option>
        ))}
      </Choice>
      <SchemaFilter key={value('schema')} onChange={(chosen) => set('schema', chosen)} value={value('schema')} />
      <Choice label={t.order} onChange={(chosen) => set('sortBy', chosen)} value={value('sortBy')}>
        <option value="">{t.newest}</option>
        <option value="createdAt">{t.oldest}</option>
      </Choice>
      {hasFilters(place) && (
        <a className="button button-quiet" href={to(place.path)}>
          {t.clear}
        </a>
      )}
    </search>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function Choice({ label, value, onChange, children }: ChoiceProps & { children: ReactNode }) {
  return (
    <label className="filter">
      <span className="sr-only">{label}</span>
      <select onChange={(event) => onChange(event.target.value)} value={value}>
        {children}
      </select>
    </label>
  );
}

/** A list of names, or a field for one, where the token may not list them. */
function SchemaFilter({ value, onChange }: Omit<ChoiceProps, 'label'>) {
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
