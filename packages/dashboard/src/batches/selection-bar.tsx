import type { Batch } from '@drover/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useDrover } from '../session/drover-context.ts';
import { strings } from '../strings.ts';
import { Confirm } from '../ui/dialog.tsx';
import { messageOf } from '../ui/states.tsx';
import { isFinal, type Verb, verbsFor } from './verbs.ts';

const { batches: t } = strings;
const VERBS = ['suspend', 'resume', 'cancel', 'retry', 'delete'] as const;
/** Requests at a time. */
const AT_ONCE = 4;

interface Outcome {
  readonly done: number;
  /** Messages of those that refused. */
  readonly refused: readonly string[];
}

/** What can be done with all selected batches. A verb is offered if it is allowed for one of them; it is sent to those only. */
export function SelectionBar({ batches, clear }: { batches: readonly Batch[]; clear: () => void }) {
  const drover = useDrover();
  const cache = useQueryClient();
  const [asked, setAsked] = useState<Verb | null>(null);
  const able = (verb: Verb): readonly Batch[] => batches.filter((batch) => verbsFor(batch).includes(verb));
  const run = useMutation({
    mutationFn: async (verb: Verb): Promise<Outcome> => {
      const waiting = [...able(verb)];
      const refused: string[] = [];
      let done = 0;
      const next = async (): Promise<void> => {
        for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
          await drover.batches[verb](batch.batchId).then(
            () => (done += 1),
            (error: unknown) => refused.push(messageOf(error)),
          );
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, next));
      return { done, refused };
    },
    onSettled: () => {
      setAsked(null);
      void cache.invalidateQueries({ queryKey: ['batches'] });
    },
  });
  return (
    <section aria-label={t.selected(batches.length)} className="selection">
      <b>{t.selected(batches.length)}</b>
      {VERBS.filter((verb) => able(verb).length > 0).map((verb) => (
        <button
          className={verb === 'delete' ? 'button button-danger-quiet' : 'button'}
          key={verb}
          onClick={() => setAsked(verb)}
          type="button"
        >
          {strings.verbs[verb]} ({able(verb).length})
        </button>
      ))}
      <button className="button button-quiet" onClick={clear} type="button">
        {t.clearSelection}
      </button>
      {run.data && <Result outcome={run.data} />}
      {asked && (
        <Confirm
          isDangerous={isFinal(asked)}
          isPending={run.isPending}
          onClose={() => setAsked(null)}
          onConfirm={() => run.mutate(asked)}
          text={strings.batch.confirm[asked].text}
          title={t.confirm(strings.verbs[asked], able(asked).length)}
          verb={strings.verbs[asked]}
        />
      )}
    </section>
  );
}

function Result({ outcome: { done, refused } }: { outcome: Outcome }) {
  return (
    <p className="small selection-result" role="status">
      {done > 0 && t.done(done)} {refused.length > 0 && `${t.refused(refused.length)} ${refused.join('; ')}`}
    </p>
  );
}
