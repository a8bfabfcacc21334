import type { Delivery } from '@drover/client';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { useDrover } from '../session/drover-context.ts';
import { strings } from '../strings.ts';
import { Section } from '../ui/page.tsx';
import { Failed, Loading, Notice } from '../ui/states.tsx';
import { Moment } from '../ui/time.tsx';
import { WebhookBadge } from './webhook-badge.tsx';

const { webhooks: t } = strings;
const PAGE = 25;
/** In ms. */
const REFRESH_MS = 3_000;

/** What a webhook was told, the newest first, with its answers. */
export function Deliveries({ webhookId }: { webhookId: string }) {
  const drover = useDrover();
  const list = useInfiniteQuery({
    queryKey: ['deliveries', webhookId],
    queryFn: ({ pageParam, signal }) => drover.webhooks.deliveries(webhookId, { limit: PAGE, signal }).page(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ pagination }) => pagination.cursor ?? undefined,
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 1 ? false : REFRESH_MS),
  });
  const deliveries = list.data?.pages.flatMap(({ results }) => results) ?? [];
  return (
    <Section title={t.deliveries}>
      {list.isPending && <Loading />}
      {list.error && list.data === undefined && <Failed error={list.error} retry={() => void list.refetch()} />}
      {list.data && deliveries.length === 0 && <p className="muted">{t.noDeliveries}</p>}
      <ul className="faults">
        {deliveries.map((delivery) => (
          <DeliveryRow delivery={delivery} key={delivery.deliveryId} redelivered={() => void list.refetch()} />
        ))}
      </ul>
      {list.hasNextPage && (
        <button className="button button-small" onClick={() => void list.fetchNextPage()} type="button">
          {strings.resource.loadMore}
        </button>
      )}
    </Section>
  );
}

function DeliveryRow({ delivery, redelivered }: { delivery: Delivery; redelivered: () => void }) {
  const drover = useDrover();
  const { webhookId, deliveryId, type, status, attempts, createdAt, nextAttemptAt } = delivery;
  const again = useMutation({
    mutationFn: () => drover.webhooks.redeliver(webhookId, deliveryId),
    onSuccess: redelivered,
  });
  return (
    <li className="fault delivery">
      <WebhookBadge status={status} />
      <div>
        <p>
          <code>{type}</code> <span className="small muted">{t.attempts(attempts)}</span>{' '}
          <span className="small muted">
            <Moment at={createdAt} />
          </span>
        </p>
        <p className="small muted">{outcomeOf(delivery)}</p>
        {nextAttemptAt !== undefined && status === 'pending' && (
          <p className="small muted">
            {t.nextAttempt} <Moment at={nextAttemptAt} />
          </p>
        )}
        {again.error && <Notice error={again.error} />}
      </div>
      {status !== 'pending' && (
        <button className="button button-small" disabled={again.isPending} onClick={() => again.mutate()} type="button">
          {t.redeliver}
        </button>
      )}
    </li>
  );
}

const outcomeOf = ({ lastAnswer, lastError }: Delivery): string =>
  lastAnswer === undefined ? (lastError ?? '') : `${lastAnswer.status} ${lastAnswer.body}`;
