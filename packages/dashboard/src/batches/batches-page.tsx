import type { Batch } from '@drover/client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { StartBulk } from '../bulk/start-bulk.tsx';
import { Pace } from '../live/pace.ts';
import { useDrover } from '../session/drover-context.ts';
import { type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { PageHead } from '../ui/page.tsx';
import { Paging } from '../ui/paging.tsx';
import { Empty, Failed, Loading, Notice } from '../ui/states.tsx';
import { BatchTable } from './batch-table.tsx';
import { filterOf, hasFilters } from './filter.ts';
import { Filters } from './filters.tsx';
import { SelectionBar } from './selection-bar.tsx';

const { batches: t } = strings;
const PAGE = 50;

export function BatchesPage({ place }: { place: Place }) {
  const drover = useDrover();
  const [pace] = useState(() => new Pace());
  const filter = filterOf(place);
  const sortBy = place.query.get('sortBy') === 'createdAt' ? 'createdAt' : '-createdAt';
  const cursor = place.query.get('cursor') ?? undefined;
  const list = useQuery({
    queryKey: ['batches', filter, sortBy, cursor],
    queryFn: ({ signal }) => drover.batches.list({ ...filter, sortBy, limit: PAGE, signal }).page(cursor),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => pace.next(state),
  });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const toggle = useCallback(
    (batchId: string) =>
      setSelected((before) => {
        const next = new Set(before);
        if (!next.delete(batchId)) next.add(batchId);
        return next;
      }),
    [],
  );
  const results = list.data?.results ?? [];
  // what has left the page is no longer selected
  const chosen = results.filter(({ batchId }) => selected.has(batchId));
  const pagination = list.data?.pagination;
  return (
    <>
      <PageHead about={pagination && t.total(pagination.total, pagination.totalIsCapped === true)} title={t.title}>
        {hasFilters(place) && results.length > 0 && <StartBulk filter={filter} />}
      </PageHead>
      <Filters place={place} />
      {list.error && list.data && <Notice error={list.error} />}
      <BatchList
        chosen={chosen}
        error={list.data ? null : list.error}
        place={place}
        results={list.data && results}
        retry={() => void list.refetch()}
        setSelected={setSelected}
        toggle={toggle}
      />
      {pagination && <Paging cursor={pagination.cursor} isFirst={cursor === undefined} place={place} />}
      {chosen.length > 0 && <SelectionBar batches={chosen} clear={() => setSelected(new Set())} />}
    </>
  );
}

function BatchList({
  results,
  error,
  chosen,
  setSelected,
  toggle,
  place,
  retry,
}: {
  results: readonly Batch[] | undefined;
  error: unknown;
  chosen: readonly Batch[];
  setSelected: (ids: ReadonlySet<string>) => void;
  toggle: (batchId: string) => void;
  place: Place;
  retry: () => void;
}) {
  if (error) return <Failed error={error} retry={retry} />;
  if (results === undefined) return <Loading />;
  if (results.length > 0)
    return (
      <BatchTable
        batches={results}
        selection={{ selected: new Set(chosen.map(({ batchId }) => batchId)), select: setSelected, toggle }}
      />
    );
  return hasFilters(place) ? (
    <Empty title={t.emptyFiltered}>
      <a className="button" href={to(place.path)}>
        {t.clear}
      </a>
    </Empty>
  ) : (
    <Empty text={t.emptyText} title={t.empty}>
      <a className="button button-main" href={to(['upload'])}>
        {strings.imports.upload}
      </a>
    </Empty>
  );
}
