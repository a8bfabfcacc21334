import type { ContentFormat, ImportOptions } from '@drover/client';
import { type DragEvent, type FormEvent, useState } from 'react';
import { useDrover } from '../session/drover-context.ts';
import { strings } from '../strings.ts';
import { bytes } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { ColumnMapping, type Columns } from './column-mapping.tsx';
import { Checkbox, ConflictField, SchemaField, Select, type Wait, WaitField } from './fields.tsx';
import { type FileOptions, FilePreview, useFilePreview } from './file-preview.tsx';
import { MoreOptions, moreOptions, NO_MORE, OF_IMPORT } from './more-options.tsx';
import { startUpload } from './upload-store.ts';

const { upload: t } = strings;

/** By its name; what has neither name is taken as newline-delimited JSON, which the user can change. */
const formatOf = ({ name }: File): ContentFormat => (/\.(csv|tsv)$/i.test(name) ? 'csv' : 'ndjson');

interface Choices {
  readonly format: ContentFormat;
  readonly schema: string;
  readonly operation: NonNullable<ImportOptions['operation']>;
  readonly onconflict: 'upsert' | 'reject';
  readonly ignoreUnknownFields: boolean;
  readonly cascade: boolean;
  readonly wait: Wait;
  readonly columns: Columns;
}

const FIRST: Choices = {
  format: 'ndjson',
  schema: '',
  operation: 'upload',
  onconflict: 'upsert',
  ignoreUnknownFields: false,
  cascade: false,
  wait: 'import',
  columns: {},
};

const optionsOf = ({ wait, columns, onconflict, cascade, ignoreUnknownFields, ...always }: Choices): FileOptions => ({
  ...always,
  ...(always.operation === 'upload' && { onconflict, dependencyWaitTimeout: wait }),
  ...(always.operation === 'delete' ? { cascade } : { ignoreUnknownFields }),
  ...(always.format === 'csv' && Object.keys(columns).length > 0 && { columns }),
});

export function FileForm() {
  const drover = useDrover();
  const [file, setFile] = useState<File | null>(null);
  const [choices, setChoices] = useState(FIRST);
  const [more, setMore] = useState(NO_MORE);
  const change = (changes: Partial<Choices>): void => setChoices((before) => ({ ...before, ...changes }));
  const isReady = file !== null && choices.schema.trim() !== '';
  const found = useFilePreview(file, isReady ? optionsOf(choices) : null);
  const start = (isCheck: boolean): void => {
    if (file === null) return;
    void startUpload(drover, file, { ...optionsOf(choices), ...moreOptions(more, OF_IMPORT) }, { isCheck });
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    start(false);
  };
  const isRefused = isReady && (found.data?.faults.length ?? 0) > 0;
  return (
    <form className="card form" onSubmit={submit}>
      <p className="muted">{t.fileText}</p>
      <Drop
        choose={(chosen) => {
          setFile(chosen);
          change({ format: formatOf(chosen), columns: {} });
        }}
        file={file}
      />
      <Fields change={change} choices={choices} />
      <MoreOptions names={OF_IMPORT} onChange={setMore} values={more} />
      {isReady && found.data?.columns && choices.format === 'csv' && (
        <ColumnMapping
          columns={choices.columns}
          onChange={(columns) => change({ columns })}
          preview={found.data}
          schema={choices.schema}
        />
      )}
      {isReady && <FilePreview found={found} />}
      <div className="row">
        <button className="button button-main" disabled={!isReady || isRefused} type="submit">
          {t.start}
        </button>
        {choices.operation !== 'delete' && (
          <button className="button" disabled={!isReady || isRefused} onClick={() => start(true)} type="button">
            {t.checkAll}
          </button>
        )}
      </div>
    </form>
  );
}

function Fields({ choices, change }: { choices: Choices; change: (changes: Partial<Choices>) => void }) {
  const { format, schema, operation, onconflict, wait, ignoreUnknownFields, cascade } = choices;
  return (
    <>
      <div className="fields">
        <SchemaField onChange={(chosen) => change({ schema: chosen, columns: {} })} value={schema} />
        <Select label={t.format} onChange={(chosen) => change({ format: chosen })} value={format}>
          <option value="ndjson">{t.formats.ndjson}</option>
          <option value="csv">{t.formats.csv}</option>
        </Select>
        <Select label={t.operation} onChange={(chosen) => change({ operation: chosen })} value={operation}>
          <option value="upload">{strings.operations.upload}</option>
          <option value="patch">{strings.operations.patch}</option>
          <option value="delete">{strings.operations.delete}</option>
        </Select>
        {operation === 'upload' && (
          <ConflictField onChange={(chosen) => change({ onconflict: chosen })} value={onconflict} />
        )}
        {operation === 'upload' && <WaitField isImport onChange={(chosen) => change({ wait: chosen })} value={wait} />}
      </div>
      {operation === 'delete' ? (
        <Checkbox checked={cascade} label={t.cascade} onChange={(chosen) => change({ cascade: chosen })} />
      ) : (
        <Checkbox
          checked={ignoreUnknownFields}
          label={t.ignoreUnknownFields}
          onChange={(chosen) => change({ ignoreUnknownFields: chosen })}
        />
      )}
    </>
  );
}

function Drop({ file, choose }: { file: File | null; choose: (file: File) => void }) {
  const [isOver, setIsOver] = useState(false);
  const over = (event: DragEvent, is: boolean): void => {
    event.preventDefault();
    setIsOver(is);
  };
  const take = (files: FileList | null): void => {
    const [first] = files ?? [];
    if (first !== undefined) choose(first);
  };
  return (
    <label
      className={isOver ? 'drop drop-over' : 'drop'}
      onDragLeave={(event) => over(event, false)}
      onDragOver={(event) => over(event, true)}
      onDrop={(event) => {
        over(event, false);
        take(event.dataTransfer.files);
      }}
    >
      <Icon name="upload" />
      <span>{file ? t.chosen(file.name, bytes(file.size)) : t.drop}</span>
      <input
        accept=".ndjson,.jsonl,.csv,.tsv,.txt"
        aria-label={t.choose}
        className="sr-only"
        onChange={(event) => take(event.target.files)}
        type="file"
      />
    </label>
  );
}
