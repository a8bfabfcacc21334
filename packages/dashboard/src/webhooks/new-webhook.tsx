import type { Webhook } from '@drover/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Checkbox } from '../imports/fields.tsx';
import { useDrover } from '../session/drover-context.ts';
import { go, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Notice } from '../ui/states.tsx';
import { Secret } from './secret.tsx';

const { webhooks: t } = strings;
type WebhookEvent = Webhook['events'][number];
const EVENTS = Object.keys(t.eventNames) as WebhookEvent[];

/** Asks for an address, and then shows its secret, which the service shows only now. */
export function NewWebhook({ onClose }: { onClose: () => void }) {
  const drover = useDrover();
  const cache = useQueryClient();
  const [url, setUrl] = useState('');
  const [description, setDescription] = useState('');
  const [events, setEvents] = useState<ReadonlySet<WebhookEvent>>(new Set(['batch.completed']));
  const create = useMutation({
    mutationFn: () =>
      drover.webhooks.create({
        url: url.trim(),
        events: [...events],
        ...(description.trim() && { description: description.trim() }),
      }),
    onSuccess: () => cache.invalidateQueries({ queryKey: ['webhooks'] }),
  });
  const toggle = (event: WebhookEvent, isOn: boolean): void => {
    const next = new Set(events);
    if (isOn) next.add(event);
    else next.delete(event);
    setEvents(next);
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate();
  };
  if (create.data)
    return <Secret onClose={() => go(to(['webhooks', create.data.webhookId]))} secret={create.data.secret} />;
  return (
    <Dialog onClose={onClose} title={t.add}>
      <form className="form" onSubmit={submit}>
        <label className="field">
          <span>{t.url}</span>
          <input
            inputMode="url"
            onChange={(event) => setUrl(event.target.value)}
            placeholder="https://"
            required
            value={url}
          />
        </label>
        <fieldset className="choices">
          <legend>{t.events}</legend>
          {EVENTS.map((event) => (
            <Checkbox
              checked={events.has(event)}
              key={event}
              label={t.eventNames[event]}
              onChange={(isOn) => toggle(event, isOn)}
            />
          ))}
        </fieldset>
        <label className="field">
          <span>{t.description}</span>
          <input onChange={(event) => setDescription(event.target.value)} value={description} />
        </label>
        {create.error && <Notice error={create.error} />}
        <button
          className="button button-main"
          disabled={url.trim() === '' || events.size === 0 || create.isPending}
          type="submit"
        >
          {t.create}
        </button>
      </form>
    </Dialog>
  );
}
