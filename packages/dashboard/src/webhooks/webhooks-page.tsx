import type { Webhook } from '@drover/client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useDrover } from '../session/drover-context.ts';
import { type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { PageHead } from '../ui/page.tsx';
import { Paging } from '../ui/paging.tsx';
import { Empty, Unloaded } from '../ui/states.tsx';
import { Moment } from '../ui/time.tsx';
import { NewWebhook } from './new-webhook.tsx';
import { WebhookBadge } from './webhook-badge.tsx';

const { webhooks: t } = strings;
const PAGE = 25;

/** Addresses that are told of the end of batches and imports. */
export function WebhooksPage({ place }: { place: Place }) {
  const drover = useDrover();
  const [isOpen, setIsOpen] = useState(false);
  const cursor = place.query.get('cursor') ?? undefined;
  const list = useQuery({
    queryKey: ['webhooks', cursor],
    queryFn: ({ signal }) => drover.webhooks.list({ limit: PAGE, signal }).page(cursor),
    placeholderData: keepPreviousData,
  });
  const add = (
    <button className="button button-main" onClick={() => setIsOpen(true)} type="button">
      {t.add}
    </button>
  );
  return (
    <>
      <PageHead about={t.about} title={t.title}>
        {list.data && list.data.results.length > 0 && add}
      </PageHead>
      {list.data === undefined ? (
        <Unloaded query={list} />
      ) : list.data.results.length === 0 ? (
        <Empty text={t.emptyText} title={t.empty}>
          {add}
        </Empty>
      ) : (
        <>
          <WebhookTable webhooks={list.data.results} />
          <Paging cursor={list.data.pagination.cursor} isFirst={cursor === undefined} place={place} />
        </>
      )}
      {isOpen && <NewWebhook onClose={() => setIsOpen(false)} />}
    </>
  );
}

function WebhookTable({ webhooks }: { webhooks: readonly Webhook[] }) {
  return (
    <div className="table-frame">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t.url}</th>
            <th scope="col">{t.status}</th>
            <th className="cell-wide" scope="col">
              {t.events}
            </th>
            <th className="cell-time cell-wide" scope="col">
              {t.changed}
            </th>
          </tr>
        </thead>
        <tbody>
          {webhooks.map((webhook) => (
            <tr key={webhook.webhookId}>
              <td className="cell-name">
                <a className="row-link" href={to(['webhooks', webhook.webhookId])}>
                  <b className="mono">{webhook.url}</b>
                  {webhook.description && <span className="small muted">{webhook.description}</span>}
                </a>
              </td>
              <td>
                <WebhookBadge status={webhook.status} />
              </td>
              <td className="cell-wide small muted">{webhook.events.map((event) => t.eventNames[event]).join(', ')}</td>
              <td className="cell-time cell-wide muted">
                <Moment at={webhook.updatedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
