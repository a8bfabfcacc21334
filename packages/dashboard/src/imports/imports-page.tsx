import type { Import } from '@drover/client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Pace } from '../live/pace.ts';
import { useDrover } from '../session/drover-context.ts';
import { type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { number, shortId } from '../ui/format.ts';
import { PageHead } from '../ui/page.tsx';
import { Paging } from '../ui/paging.tsx';
import { Empty, Notice, Unloaded } from '../ui/states.tsx';
import { CountBar, StatusBadge } from '../ui/status.tsx';
import { Lasted, Moment } from '../ui/time.tsx';

const { imports: t } = strings;
const PAGE = 25;

export function ImportsPage({ place }: { place: Place }) {
  const drover = useDrover();
  const [pace] = useState(() => new Pace());
  const cursor = place.query.get('cursor') ?? undefined;
  const list = useQuery({
    queryKey: ['imports', cursor],
    queryFn: ({ signal }) => drover.imports.list({ limit: PAGE, signal }).page(cursor),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => pace.next(state),
  });
  const pagination = list.data?.pagination;
  const upload = (
    <a className="button button-main" href={to(['upload'])}>
      {t.upload}
    </a>
  );
  return (
    <>
      <PageHead about={pagination && t.total(pagination.total, pagination.totalIsCapped === true)} title={t.title}>
        {list.data && list.data.results.length > 0 && upload}
      </PageHead>
      {list.error && list.data && <Notice error={list.error} />}
      {list.data === undefined ? (
        <Unloaded query={list} />
      ) : list.data.results.length === 0 ? (
        <Empty text={t.emptyText} title={t.empty}>
          {upload}
        </Empty>
      ) : (
        <ImportTable imports={list.data.results} />
      )}
      {pagination && <Paging cursor={pagination.cursor} isFirst={cursor === undefined} place={place} />}
    </>
  );
}

function ImportTable({ imports }: { imports: readonly Import[] }) {
  return (
    <div className="table-frame">
      <table className="table batch-table">
        <thead>
          <tr>
            <th scope="col">{t.columns.import}</th>
            <th scope="col">{t.columns.status}</th>
            <th scope="col">{t.columns.rows}</th>
            <th className="cell-time" scope="col">
              {t.columns.created}
            </th>
            <th className="cell-time" scope="col">
              {t.columns.duration}
            </th>
          </tr>
        </thead>
        <tbody>
          {imports.map((each) => (
            <Row each={each} key={each.importId} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({
  each: { importId, schemaName, label, status, suspended, counts, rowsRead, createdAt, completedAt },
}: {
  each: Import;
}) {
  return (
    <tr>
      <td className="cell-name">
        <a className="row-link" href={to(['imports', importId])}>
          <b>{schemaName || strings.missingSchema}</b> {label}
          <span className="mono muted small" title={importId}>
            {shortId(importId)}
          </span>
        </a>
      </td>
      <td className="cell-status">
        <StatusBadge status={status} suspended={suspended} />
      </td>
      <td className="cell-bar">
        <CountBar counts={counts} />
        <span className="small muted nowrap">{number(rowsRead)}</span>
      </td>
      <td className="cell-time muted">
        <Moment at={createdAt} />
      </td>
      <td className="cell-time muted">
        <Lasted from={createdAt} until={completedAt} />
      </td>
    </tr>
  );
}
