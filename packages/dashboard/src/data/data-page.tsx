import type { SchemaDefinition } from '@drover/client';
import { type FormEvent, useState } from 'react';
import { go, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { PageHead } from '../ui/page.tsx';
import { Empty, Unloaded } from '../ui/states.tsx';
import { Moment } from '../ui/time.tsx';
import { SchemaGraph } from './schema-graph.tsx';
import { isForbidden, useSchemas } from './use-schemas.ts';

const { data: t } = strings;

export function DataPage() {
  const schemas = useSchemas();
  const { data, error } = schemas;
  return (
    <>
      <PageHead about={t.about} title={t.title} />
      {data === undefined ? (
        isForbidden(error) ? (
          <OpenByName />
        ) : (
          <Unloaded query={schemas} />
        )
      ) : data.length === 0 ? (
        <Empty text={t.emptyText} title={t.empty} />
      ) : (
        <>
          <SchemaGraph definitions={data} />
          <Definitions definitions={data} />
        </>
      )}
    </>
  );
}

function Definitions({ definitions }: { definitions: readonly SchemaDefinition[] }) {
  return (
    <div className="table-frame">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t.columns.name}</th>
            <th className="cell-wide" scope="col">
              {t.columns.externalId}
            </th>
            <th scope="col">{t.columns.refersTo}</th>
            <th className="cell-time cell-wide" scope="col">
              {t.columns.updated}
            </th>
          </tr>
        </thead>
        <tbody>
          {definitions.map(({ id, name, description, externalIdField, referenceSchemas, updatedAt }) => (
            <tr key={id}>
              <td className="cell-name">
                <a className="row-link" href={to(['data', name])}>
                  <b>{name}</b>
                  {description && <span className="small muted">{description}</span>}
                </a>
              </td>
              <td className="cell-wide mono">{externalIdField}</td>
              <td>
                {referenceSchemas.length === 0 ? (
                  <span className="muted">{t.nothing}</span>
                ) : (
                  referenceSchemas.join(', ')
                )}
              </td>
              <td className="cell-time cell-wide muted">
                <Moment at={updatedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Where the token may not list definitions: resources of a schema whose name is known can be read. */
function OpenByName() {
  const [name, setName] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    go(to(['data', name.trim()]));
  };
  return (
    <form className="card form" onSubmit={submit}>
      <p className="muted">{t.notAllowed}</p>
      <label className="field">
        <span>{t.schemaName}</span>
        <input onChange={(event) => setName(event.target.value)} required value={name} />
      </label>
      <button className="button button-main" disabled={name.trim() === ''} type="submit">
        {t.open}
      </button>
    </form>
  );
}
