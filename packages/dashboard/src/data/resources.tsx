import type { Resource } from '@drover/client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useDrover } from '../session/drover-context.ts';
import { go, type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Download } from '../ui/download.tsx';
import { Section } from '../ui/page.tsx';
import { Paging } from '../ui/paging.tsx';
import { Empty, Unloaded } from '../ui/states.tsx';
import { Moment } from '../ui/time.tsx';

const { data: t } = strings;
const PAGE = 25;
const FORMATS = [
  ['NDJSON', 'ndjson'],
  ['CSV', 'csv'],
] as const;

/** Resources of one schema, by external id, and a way to one of them. */
export function Resources({ schema, place }: { schema: string; place: Place }) {
  const drover = useDrover();
  const cursor = place.query.get('cursor') ?? undefined;
  const list = useQuery({
    queryKey: ['resources', schema, cursor],
    queryFn: ({ signal }) => drover.resources.list(schema, { limit: PAGE, signal }).page(cursor),
    placeholderData: keepPreviousData,
  });
  return (
    <Section
      title={t.resources}
      tools={
        <span className="downloads">
          {FORMATS.map(([label, format]) => (
            <Download
              key={format}
              name={`${schema}.${format}`}
              read={() => drover.resources.export(schema, { format })}
            >
              {t.export(label)}
            </Download>
          ))}
        </span>
      }
    >
      <Find schema={schema} />
      {list.data === undefined ? (
        <Unloaded query={list} />
      ) : list.data.results.length === 0 ? (
        <Empty text={t.noResourcesText} title={t.noResources} />
      ) : (
        <>
          <ResourceTable resources={list.data.results} schema={schema} />
          <Paging cursor={list.data.pagination.cursor} isFirst={cursor === undefined} place={place} />
        </>
      )}
    </Section>
  );
}

function Find({ schema }: { schema: string }) {
  const [id, setId] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (id !== '') go(to(['data', schema, id]));
  };
  return (
    <form className="find" onSubmit={submit}>
      <label>
        <span className="sr-only">{t.find}</span>
        <input
          className="mono"
          onChange={(event) => setId(event.target.value)}
          placeholder={t.find}
          spellCheck={false}
          type="search"
          value={id}
        />
      </label>
      <button className="button" disabled={id === ''} type="submit">
        {t.findButton}
      </button>
    </form>
  );
}

function ResourceTable({ resources, schema }: { resources: readonly Resource[]; schema: string }) {
  return (
    <div className="table-frame">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t.resourceColumns.externalId}</th>
            <th scope="col">{t.resourceColumns.data}</th>
            <th className="cell-number cell-wide" scope="col">
              {t.resourceColumns.version}
            </th>
            <th className="cell-time cell-wide" scope="col">
              {t.resourceColumns.updated}
            </th>
          </tr>
        </thead>
        <tbody>
          {resources.map(({ id, resourceExternalId, data, versionNumber, updatedAt }) => (
            <tr key={id}>
              <td className="mono">
                <a href={to(['data', schema, resourceExternalId])}>{resourceExternalId}</a>
              </td>
              <td className="cell-data mono small muted">{JSON.stringify(data)}</td>
              <td className="cell-number cell-wide">{versionNumber}</td>
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
