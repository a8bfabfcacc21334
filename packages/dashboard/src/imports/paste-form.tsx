import { JsonText } from '@drover/client';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useDrover } from '../session/drover-context.ts';
import { go, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { messageOf, Notice } from '../ui/states.tsx';
import { Checkbox, ConflictField, SchemaField, type Wait, WaitField } from './fields.tsx';

const { upload: t } = strings;
const MOST_RESOURCES = 1_000;

/**
 * What is in the text, as it is: parsed and written again, long integers would be rounded, and members given twice be lost, where the service
 * sees and says it. `error` is what is wrong with the text.
 */
function read(text: string): { count: number; asPasted: JsonText } | { error: string } {
  try {
    const value: unknown = JSON.parse(text);
    const list = Array.isArray(value) ? value : [value];
    const areResources = list.every((each) => typeof each === 'object' && each !== null && !Array.isArray(each));
    if (!areResources || list.length === 0 || list.length > MOST_RESOURCES) return { error: t.notResources };
    const pasted = text.trim();
    return { count: list.length, asPasted: new JsonText(Array.isArray(value) ? pasted.slice(1, -1) : pasted) };
  } catch (error) {
    return { error: t.notJson(messageOf(error)) };
  }
}

/** A few resources as one batch. */
export function PasteForm() {
  const drover = useDrover();
  const [text, setText] = useState('');
  const [schema, setSchema] = useState('');
  const [onconflict, setOnconflict] = useState<'upsert' | 'reject'>('upsert');
  const [wait, setWait] = useState<Wait>('0');
  const [ignoreUnknownFields, setIgnoreUnknownFields] = useState(false);
  const found = text.trim() === '' ? null : read(text);
  const send = useMutation({
    mutationFn: (asPasted: JsonText) =>
      drover.resources.upload(schema, [asPasted], {
        onconflict,
        ignoreUnknownFields,
        dependencyWaitTimeout: Number(wait),
      }),
    onSuccess: ({ batchId }) => go(to(['batches', batchId])),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (found && 'asPasted' in found) send.mutate(found.asPasted);
  };
  return (
    <form className="card form" onSubmit={submit}>
      <label className="field">
        <span>{t.resources}</span>
        <span className="muted small">{t.pasteText}</span>
        <textarea
          className="mono"
          onChange={(event) => setText(event.target.value)}
          rows={10}
          spellCheck={false}
          value={text}
        />
      </label>
      <p className={found && 'error' in found ? 'small bad' : 'small muted'} role="status">
        {found && ('error' in found ? found.error : t.resourceCount(found.count))}
      </p>
      <div className="fields">
        <SchemaField onChange={setSchema} value={schema} />
        <ConflictField onChange={setOnconflict} value={onconflict} />
        <WaitField isImport={false} onChange={setWait} value={wait} />
      </div>
      <Checkbox checked={ignoreUnknownFields} label={t.ignoreUnknownFields} onChange={setIgnoreUnknownFields} />
      {send.error && <Notice error={send.error} />}
      <button
        className="button button-main"
        disabled={!found || 'error' in found || schema.trim() === '' || send.isPending}
        type="submit"
      >
        {t.send}
      </button>
    </form>
  );
}
