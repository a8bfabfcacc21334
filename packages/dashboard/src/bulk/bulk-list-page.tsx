import type { BulkOperation } from '@drover/client';
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
import { countsOf } from './bulk-counts.ts';
import { filterFacts } from './filter-facts.ts';

const { bulk: t } = strings;
const PAGE = 25;

/** What was done with many batches at once. */
export function BulkListPage({ place }: { place: Place }) {
  const drover = useDrover();
  const [pace] = useState(() => new Pace());
  const cursor = place.query.get('cursor') ?? undefined;
  const list = useQuery({
    queryKey: ['bulk-operations', cursor],
    queryFn: ({ signal }) => drover.bulkOperations.list({ limit: PAGE, signal }).page(cursor),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => pace.next(state),
  });
  const filtered = (
    <a className="button button-main" href={to(['batches'])}>
      {t.chooseBatches}
    </a>
  );
  return (
    <>
      <PageHead about={t.about} title={t.listTitle} />
      {list.error && list.data && <Notice error={list.error} />}
      {list.data === undefined ? (
        <Unloaded query={list} />
      ) : list.data.results.length === 0 ? (
        <Empty text={t.emptyText} title={t.empty}>
          {filtered}
        </Empty>
      ) : (
        <>
          <BulkTable operations={list.data.results} />
          <Paging cursor={list.data.pagination.cursor} isFirst={cursor === undefined} place={place} />
        </>
      )}
    </>
  );
}

function BulkTable({ operations }: { operations: readonly BulkOperation[] }) {
  return (
    <div className="table-frame">
      <table className="table batch-table">
        <thead>
          <tr>
            <th scope="col">{t.columns.operation}</th>
            <th scope="col">{t.columns.status}</th>
            <th scope="col">{t.columns.batches}</th>
            <th className="cell-time" scope="col">
              {strings.batches.columns.created}
            </th>
            <th className="cell-time" scope="col">
              {strings.batches.columns.duration}
            </th>
          </tr>
        </thead>
        <tbody>
          {operations.map((each) => (
            <Row key={each.bulkOperationId} operation={each} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ operation }: { operation: BulkOperation }) {
  const { bulkOperationId, status, matched, done, createdAt, completedAt } = operation;
  return (
    <tr>
      <td className="cell-name">
        <a className="row-link" href={to(['bulk', bulkOperationId])}>
          <b>{strings.verbs[operation.operation]}</b>
          <span className="muted">
            {filterFacts(operation.filter)
              .map(([name, value]) => `${name}: ${value}`)
              .join('; ')}
          </span>
          <span className="mono muted small" title={bulkOperationId}>
            {shortId(bulkOperationId)}
          </span>
        </a>
      </td>
      <td className="cell-status">
        <StatusBadge status={status} />
      </td>
      <td className="cell-bar">
        <CountBar counts={countsOf(operation)} />
        <span className="small muted nowrap">
          {number(done)} / {number(matched)}
        </span>
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
