import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { isFinal } from '../batches/verbs.ts';
import { useDrover } from '../session/drover-context.ts';
import { go, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Facts } from '../ui/page.tsx';
import { Loading, Notice } from '../ui/states.tsx';
import { BULK_VERBS } from './bulk-verbs.ts';
import { filterFacts } from './filter-facts.ts';

const { bulk: t } = strings;

/** A button that does something with all batches that fit a filter, after it has said how many they are. */
export function StartBulk({ filter }: { filter: Readonly<Record<string, string>> }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      <button className="button" onClick={() => setIsOpen(true)} type="button">
        {t.start}
      </button>
      {isOpen && <BulkDialog filter={filter} onClose={() => setIsOpen(false)} />}
    </>
  );
}

function BulkDialog({ filter, onClose }: { filter: Readonly<Record<string, string>>; onClose: () => void }) {
  const drover = useDrover();
  const [verb, setVerb] = useState<(typeof BULK_VERBS)[number]>('suspend');
  // how many fit does not depend on what is done with them
  const counted = useQuery({
    queryKey: ['bulk-preview', filter],
    queryFn: ({ signal }) => drover.bulkOperations.preview('suspend', filter, { signal }),
    gcTime: 0,
  });
  const start = useMutation({
    mutationFn: () => drover.bulkOperations.start(verb, filter),
    onSuccess: ({ bulkOperationId }) => go(to(['bulk', bulkOperationId])),
  });
  const found = counted.data ?? null;
  const many = found && t.matched(found.matched, found.totalIsCapped === true);
  return (
    <Dialog onClose={onClose} title={t.title}>
      <Facts facts={filterFacts(filter)} />
      <label className="field bulk-verb">
        <span>{t.verb}</span>
        <select onChange={(event) => setVerb(event.target.value as typeof verb)} value={verb}>
          {BULK_VERBS.map((each) => (
            <option key={each} value={each}>
              {strings.verbs[each]}
            </option>
          ))}
        </select>
      </label>
      <p className="muted">{t.what[verb]}</p>
      {counted.error ? (
        <Notice error={counted.error} />
      ) : many === null ? (
        <Loading />
      ) : (
        <p className="figure" role="status">
          {t.now(many)}
        </p>
      )}
      <p className="small muted">{t.turns}</p>
      {start.error && <Notice error={start.error} />}
      <div className="dialog-foot">
        <button className="button" onClick={onClose} type="button">
          {strings.dialog.back}
        </button>
        <button
          className={isFinal(verb) ? 'button button-danger' : 'button button-main'}
          disabled={!found?.matched || start.isPending}
          onClick={() => start.mutate()}
          type="button"
        >
          {many === null ? strings.verbs[verb] : `${strings.verbs[verb]} ${many}`}
        </button>
      </div>
    </Dialog>
  );
}
