import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { isFinal, type Verb } from '../batches/verbs.ts';
import { go, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Confirm } from '../ui/dialog.tsx';
import { Notice } from '../ui/states.tsx';

/** What can be taken back by another button is done at once. */
const needsNoQuestion = (verb: Verb): boolean => verb === 'suspend' || verb === 'resume';

/**
 * Buttons of one batch or import.
 * @param changed key of the query that shows it. @param home where to go once it is deleted.
 */
export function Verbs({
  verbs,
  act,
  confirm,
  changed,
  home,
}: {
  verbs: readonly Verb[];
  act: (verb: Verb) => Promise<unknown>;
  confirm: Readonly<Record<Verb, { readonly title: string; readonly text: string }>>;
  changed: readonly string[];
  home: readonly string[];
}) {
  const cache = useQueryClient();
  const [asked, setAsked] = useState<Verb | null>(null);
  const run = useMutation({
    mutationFn: act,
    onSuccess: async (_, verb) => {
      if (verb === 'delete') return go(to(home));
      await cache.invalidateQueries({ queryKey: changed });
    },
    onSettled: () => setAsked(null),
  });
  return (
    <div className="verbs">
      {verbs.map((verb) => (
        <button
          className={verb === 'delete' ? 'button button-danger-quiet' : 'button'}
          disabled={run.isPending}
          key={verb}
          onClick={() => (needsNoQuestion(verb) ? run.mutate(verb) : setAsked(verb))}
          type="button"
        >
          {strings.verbs[verb]}
        </button>
      ))}
      {run.error && <Notice error={run.error} />}
      {asked && (
        <Confirm
          {...confirm[asked]}
          isDangerous={isFinal(asked)}
          isPending={run.isPending}
          onClose={() => setAsked(null)}
          onConfirm={() => run.mutate(asked)}
          verb={strings.verbs[asked]}
        />
      )}
    </div>
  );
}
