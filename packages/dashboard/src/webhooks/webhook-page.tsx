import type { Webhook } from '@drover/client';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useDrover } from '../session/drover-context.ts';
import { go, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Confirm } from '../ui/dialog.tsx';
import { Facts, PageHead } from '../ui/page.tsx';
import { Notice, Unloaded } from '../ui/states.tsx';
import { Moment } from '../ui/time.tsx';
import { Deliveries } from './deliveries.tsx';
import { Secret } from './secret.tsx';
import { WebhookBadge } from './webhook-badge.tsx';

const { webhooks: t } = strings;

/** One webhook, and what it was told. */
export function WebhookPage({ webhookId }: { webhookId: string }) {
  const drover = useDrover();
  const found = useQuery({
    queryKey: ['webhook', webhookId],
    queryFn: ({ signal }) => drover.webhooks.get(webhookId, { signal }),
  });
  if (found.data === undefined) return <Unloaded query={found} />;
  const { url, description, status, disabledReason, events, createdAt, createdBy, previousSecretsUntil } = found.data;
  return (
    <>
      <PageHead
        about={
          <span className="about-line">
            <WebhookBadge status={status} />
            {description}
          </span>
        }
        title={url}
      >
        <Buttons webhook={found.data} />
      </PageHead>
      {disabledReason !== undefined && <p className="notice">{disabledReason}</p>}
      <div className="card">
        <Facts
          facts={[
            [t.events, events.map((event) => t.eventNames[event]).join(', ')],
            [t.createdAt, <Moment at={createdAt} key="created" />],
            ...(createdBy === undefined ? [] : ([[t.createdBy, createdBy]] as const)),
            ...(previousSecretsUntil === undefined
              ? []
              : ([[t.previousSecrets, <Moment at={previousSecretsUntil} key="until" />]] as const)),
          ]}
        />
      </div>
      <Deliveries webhookId={webhookId} />
    </>
  );
}

type Question = 'rotate' | 'delete';

function Buttons({ webhook: { webhookId, status } }: { webhook: Webhook }) {
  const drover = useDrover();
  const cache = useQueryClient();
  const [asked, setAsked] = useState<Question | null>(null);
  const changed = async (): Promise<void> => {
    setAsked(null);
    await cache.invalidateQueries({ predicate: ({ queryKey }) => queryKey[1] === webhookId });
  };
  const isEnabled = status === 'enabled';
  const toggle = useMutation({
    mutationFn: () => drover.webhooks.change(webhookId, { disabled: isEnabled }),
    onSuccess: changed,
  });
  const test = useMutation({
    mutationFn: () => drover.webhooks.test(webhookId),
    onSuccess: changed,
  });
  const rotate = useMutation({
    mutationFn: () => drover.webhooks.rotateSecret(webhookId),
    onSettled: changed,
  });
  const remove = useMutation({
    mutationFn: () => drover.webhooks.delete(webhookId),
    onSuccess: () => go(to(['webhooks'])),
    onError: () => setAsked(null),
  });
  const error = toggle.error ?? test.error ?? rotate.error ?? remove.error;
  return (
    <div className="verbs">
      <button className="button" disabled={!isEnabled || test.isPending} onClick={() => test.mutate()} type="button">
        {t.test}
      </button>
      <button className="button" disabled={toggle.isPending} onClick={() => toggle.mutate()} type="button">
        {isEnabled ? t.disable : t.enable}
      </button>
      <button className="button" onClick={() => setAsked('rotate')} type="button">
        {t.rotate}
      </button>
      <button className="button button-danger-quiet" onClick={() => setAsked('delete')} type="button">
        {strings.verbs.delete}
      </button>
      {error && <Notice error={error} />}
      {asked && (
        <Confirm
          {...t.confirm[asked]}
          isDangerous={asked === 'delete'}
          isPending={rotate.isPending || remove.isPending}
          onClose={() => setAsked(null)}
          onConfirm={() => (asked === 'delete' ? remove.mutate() : rotate.mutate())}
          verb={asked === 'delete' ? strings.verbs.delete : t.rotate}
        />
      )}
      {rotate.data && <Secret onClose={() => rotate.reset()} secret={rotate.data.secret} />}
    </div>
  );
}
