import type { Batch, Item } from '@drover/client';
import { isFinished } from '@drover/client';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState } from 'react';
import { useDrover } from '../session/drover-context.ts';
import type { Place } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Section } from '../ui/page.tsx';
import { Failed, Loading } from '../ui/states.tsx';
import { ItemBadge } from '../ui/status.tsx';
import { itemStatusOf } from './counts.tsx';
import { ItemDialog } from './item-dialog.tsx';
import { ItemDownloads } from './item-downloads.tsx';

const { batch: t } = strings;
/** Items of the first request, which is soon there, and of those that follow. */
const FIRST_PAGE = 200;
const PAGE = 1_000;
/** Height of a row, in pixels. */
const ROW = 44;
/** Rows before the end of what is there at which the next page is requested. */
const AHEAD = 300;
/** While the batch runs, in ms. */
const REFRESH_MS = 3_000;

/** The items of a batch; of however many only those in view are in the page. */
export function Items({ batch, place }: { batch: Batch; place: Place }) {
  const drover = useDrover();
  const status = itemStatusOf(place);
  const { batchId } = batch;
  const list = useInfiniteQuery({
    queryKey: ['items', batchId, status, isFinished(batch)],
    queryFn: ({ pageParam, signal }) =>
      drover.batches
        .items(batchId, {
          limit: pageParam === undefined ? FIRST_PAGE : PAGE,
          include: 'resource',
          signal,
          ...(status && { status }),
        })
        .page(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ pagination }) => pagination.cursor ?? undefined,
    // a long list is not read again and again: it is when the batch has finished
    refetchInterval: ({ state }) => (isFinished(batch) || (state.data?.pages.length ?? 0) > 1 ? false : REFRESH_MS),
    placeholderData: (before) => before,
  });
  const items = list.data?.pages.flatMap(({ results }) => results) ?? [];
  const total = list.data?.pages[0]?.pagination.total ?? 0;
  return (
    <Section title={t.items} tools={<ItemDownloads batchId={batchId} status={status} />}>
      {list.error && items.length === 0 ? (
        <Failed error={list.error} retry={() => void list.refetch()} />
      ) : list.data === undefined ? (
        <Loading />
      ) : items.length === 0 ? (
        <p className="muted">{t.noItems}</p>
      ) : (
        <ItemTable
          batch={batch}
          items={items}
          more={() => {
            if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage();
          }}
          total={total}
        />
      )}
    </Section>
  );
}

function ItemTable({
  batch,
  items,
  total,
  more,
}: {
  batch: Batch;
  items: readonly Item[];
  total: number;
  more: () => void;
}) {
  const frame = useRef<HTMLElement>(null);
  const [open, setOpen] = useState<Item | null>(null);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last > items.length - AHEAD) more();
  }, [last, items.length, more]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
    <section aria-label={t.items} className="items" ref={frame} tabIndex={0}>
      <table aria-rowcount={total} className="item-grid">
        <thead>
          <tr className="item-row item-head">
            <th scope="col">{t.itemColumns.index}</th>
            <th scope="col">{t.itemColumns.externalId}</th>
            <th scope="col">{t.itemColumns.status}</th>
            <th scope="col">{t.itemColumns.outcome}</th>
          </tr>
        </thead>
        <tbody style={{ height: rows.getTotalSize() }}>
          {shown.map(({ index, start }) => {
            const item = items[index];
            return item && <ItemRow item={item} key={item.index} open={() => setOpen(item)} top={start} row={index} />;
          })}
        </tbody>
      </table>
      {open && <ItemDialog batch={batch} item={open} onClose={() => setOpen(null)} />}
    </section>
  );
}

function ItemRow({ item, top, row, open }: { item: Item; top: number; row: number; open: () => void }) {
  const { index, externalId, status } = item;
  return (
    <tr aria-rowindex={row + 1} className="item-row" style={{ transform: `translateY(${top}px)` }}>
      <td className="muted">{index}</td>
      <td>
        <button className="item-open mono" onClick={open} type="button">
          {externalId ?? t.noExternalId}
        </button>
      </td>
      <td>
        <ItemBadge status={status} />
      </td>
      <td className="item-outcome muted" title={outcomeOf(item)}>
        {outcomeOf(item)}
      </td>
    </tr>
  );
}

function outcomeOf({ action, errors, missingDependencies, missingTotal }: Item): string {
  const [first] = errors ?? [];
  if (first) return `${first.code}: ${first.message}`;
  if (missingDependencies?.length) {
    const [missing] = missingDependencies;
    const others = (missingTotal ?? missingDependencies.length) - 1;
    return `${missing?.schemaName} ${missing?.externalId}${others > 0 ? ` ${t.moreMissing(others)}` : ''}`;
  }
  return action === undefined ? '' : strings.actions[action];
}
