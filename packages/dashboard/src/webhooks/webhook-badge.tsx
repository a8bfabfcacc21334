import type { Delivery, Webhook } from '@drover/client';
import { strings } from '../strings.ts';

const { webhooks: t } = strings;
/** Colours are those of batches. */
const LOOKS = {
  enabled: 'success',
  disabled: 'cancelled',
  delivered: 'success',
  pending: 'waiting',
  failed: 'failed',
} as const;

export function WebhookBadge({ status }: { status: Webhook['status'] | Delivery['status'] }) {
  return (
    <span className={`badge badge-${LOOKS[status]}`}>
      <span aria-hidden="true" className="dot" />
      {t.statuses[status]}
    </span>
  );
}
