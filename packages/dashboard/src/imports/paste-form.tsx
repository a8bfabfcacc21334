import { JsonText, type WritePreview } from '@drover/client';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { PreviewedItems } from '../batch/previewed-items.tsx';
import { useDrover } from '../session/drover-context.ts';
import { go, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { messageOf, Notice } from '../ui/states.tsx';
import { Checkbox, ConflictField, SchemaField, Select, type Wait, WaitField } from './fields.tsx';
import { MoreOptions, moreOptions, NO_MORE, OF_BATCH } from './more-options.tsx';
import { Outcomes } from './outcomes.tsx';

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

interface Choices {
  readonly operation: 'upload' | 'patch';
  readonly schema: string;
  readonly onconflict: 'upsert' | 'reject';
  readonly wait: Wait;
  readonly ignoreUnknownFields: boolean;
}

const FIRST: Choices = {
  operation: 'upload',
  schema: '',
  onconflict: 'upsert',
  wait: '0',
  ignoreUnknownFields: false,
};

/** A few resources as one batch. */
export function PasteForm() {
  const [text, setText] = useState('');
  const [choices, setChoices] = useState(FIRST);
  const [more, setMore] = useState(NO_MORE);
  const textId = useId();
  const found = text.trim() === '' ? null : read(text);
  const { check, send } = useRequests(choices, more);
  const change = (changes: Partial<Choices>): void => {
    setChoices((before) => ({ ...before, ...changes }));
    check.reset();
  };
  const asPasted = found && 'asPasted' in found && choices.schema.trim() !== '' ? found.asPasted : null;
  const isAtWork = send.isPending || check.isPending;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (asPasted) send.mutate(asPasted);
  };
  return (
    <form className="card form" onSubmit={submit}>
      <div className="field">
        <label htmlFor={textId}>{t.resources}</label>
        <span className="muted small" id={`${textId}-about`}>
          {t.pasteText}
        </span>
        <textarea
          aria-describedby={`${textId}-about`}
          className="mono"
          id={textId}
          onChange={(event) => {
            setText(event.target.value);
            check.reset();
          }}
          rows={10}
          spellCheck={false}
          value={text}
        />
      </div>
      <p className={found && 'error' in found ? 'small bad' : 'small muted'} role="status">
        {found && ('error' in found ? found.error : t.resourceCount(found.count))}
      </p>
      <Fields change={change} choices={choices} />
      <MoreOptions names={OF_BATCH} onChange={setMore} values={more} />
      {check.data && <Checked preview={check.data} />}
      {(send.error ?? check.error) && <Notice error={send.error ?? check.error} />}
      <div className="row">
        <button className="button button-main" disabled={!asPasted || isAtWork} type="submit">
          {t.send}
        </button>
        <button
          className="button"
          disabled={!asPasted || isAtWork}
          onClick={() => asPasted && check.mutate(asPasted)}
          type="button"
        >
          {t.checkOnly}
        </button>
      </div>
    </form>
  );
}

/** What is sent to the service: to say what would happen, and to have it happen. */
function useRequests({ operation, schema, onconflict, wait, ignoreUnknownFields }: Choices, more: typeof NO_MORE) {
  const { resources } = useDrover();
  const patchOptions = { ignoreUnknownFields, ...moreOptions(more, OF_BATCH) };
  const uploadOptions = { ...patchOptions, onconflict, dependencyWaitTimeout: Number(wait) };
  const check = useMutation({
    mutationFn: (asPasted: JsonText) =>
      operation === 'upload'
        ? resources.previewUpload(schema, [asPasted], uploadOptions)
        : resources.previewPatch(schema, [asPasted], patchOptions),
  });
  const send = useMutation({
    mutationFn: (asPasted: JsonText) =>
      operation === 'upload'
        ? resources.upload(schema, [asPasted], uploadOptions)
        : resources.patch(schema, [asPasted], patchOptions),
    onSuccess: ({ batchId }) => go(to(['batches', batchId])),
  });
  return { check, send };
}

function Fields({ choices, change }: { choices: Choices; change: (changes: Partial<Choices>) => void }) {
  const { operation, schema, onconflict, wait, ignoreUnknownFields } = choices;
  return (
    <>
      <div className="fields">
        <SchemaField onChange={(chosen) => change({ schema: chosen })} value={schema} />
        <Select label={t.operation} onChange={(chosen) => change({ operation: chosen })} value={operation}>
          <option value="upload">{strings.operations.upload}</option>
          <option value="patch">{strings.operations.patch}</option>
        </Select>
        {operation === 'upload' && (
          <ConflictField onChange={(chosen) => change({ onconflict: chosen })} value={onconflict} />
        )}
        {operation === 'upload' && (
          <WaitField isImport={false} onChange={(chosen) => change({ wait: chosen })} value={wait} />
        )}
      </div>
      <Checkbox
        checked={ignoreUnknownFields}
        label={t.ignoreUnknownFields}
        onChange={(chosen) => change({ ignoreUnknownFields: chosen })}
      />
    </>
  );
}

function Checked({ preview: { counts, actions, items } }: { preview: WritePreview }) {
  return (
    <section aria-label={strings.check.title} className="check" role="status">
      <h3>{strings.check.nothingStored}</h3>
      <Outcomes actions={actions} counts={counts} />
      <PreviewedItems items={items.filter(({ status }) => status !== 'succeeded')} />
    </section>
  );
}
