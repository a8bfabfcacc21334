import type { ContentFormat, ImportOptions } from '@drover/client';
import { type DragEvent, type FormEvent, useState } from 'react';
import { useDrover } from '../session/drover-context.ts';
import { strings } from '../strings.ts';
import { bytes } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { Checkbox, ConflictField, SchemaField, Select, type Wait, WaitField } from './fields.tsx';
import { startUpload } from './upload-store.ts';

const { upload: t } = strings;

/** By its name; what has neither name is taken as newline-delimited JSON, which the user can change. */
const formatOf = ({ name }: File): ContentFormat => (/\.(csv|tsv)$/i.test(name) ? 'csv' : 'ndjson');

export function FileForm() {
  const drover = useDrover();
  const [file, setFile] = useState<File | null>(null);
  const [format, setFormat] = useState<ContentFormat>('ndjson');
  const [schema, setSchema] = useState('');
  const [operation, setOperation] = useState<NonNullable<ImportOptions['operation']>>('upload');
  const [onconflict, setOnconflict] = useState<'upsert' | 'reject'>('upsert');
  const [ignoreUnknownFields, setIgnoreUnknownFields] = useState(false);
  const [wait, setWait] = useState<Wait>('import');
  const [label, setLabel] = useState('');
  const choose = (chosen: File | undefined): void => {
    if (chosen === undefined) return;
    setFile(chosen);
    setFormat(formatOf(chosen));
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (file === null) return;
    void startUpload(drover, file, {
      schema,
      format,
      operation,
      ignoreUnknownFields,
      ...(operation === 'upload' && { onconflict, dependencyWaitTimeout: wait }),
      ...(label.trim() && { label: label.trim() }),
    });
  };
  return (
    <form className="card form" onSubmit={submit}>
      <p className="muted">{t.fileText}</p>
      <Drop choose={choose} file={file} />
      <div className="fields">
        <SchemaField onChange={setSchema} value={schema} />
        <Select label={t.format} onChange={setFormat} value={format}>
          <option value="ndjson">{t.formats.ndjson}</option>
          <option value="csv">{t.formats.csv}</option>
        </Select>
        <Select label={t.operation} onChange={setOperation} value={operation}>
          <option value="upload">{strings.operations.upload}</option>
          <option value="patch">{strings.operations.patch}</option>
        </Select>
        {operation === 'upload' && <ConflictField onChange={setOnconflict} value={onconflict} />}
        {operation === 'upload' && <WaitField isImport onChange={setWait} value={wait} />}
        <label className="field">
          <span>{t.label}</span>
          <input maxLength={100} onChange={(event) => setLabel(event.target.value)} value={label} />
        </label>
      </div>
      <Checkbox checked={ignoreUnknownFields} label={t.ignoreUnknownFields} onChange={setIgnoreUnknownFields} />
      <button className="button button-main" disabled={file === null || schema.trim() === ''} type="submit">
        {t.start}
      </button>
    </form>
  );
}

function Drop({ file, choose }: { file: File | null; choose: (file: File | undefined) => void }) {
  const [isOver, setIsOver] = useState(false);
  const over = (event: DragEvent, is: boolean): void => {
    event.preventDefault();
    setIsOver(is);
  };
  return (
    <label
      className={isOver ? 'drop drop-over' : 'drop'}
      onDragLeave={(event) => over(event, false)}
      onDragOver={(event) => over(event, true)}
      onDrop={(event) => {
        over(event, false);
        choose(event.dataTransfer.files[0]);
      }}
    >
      <Icon name="upload" />
      <span>{file ? t.chosen(file.name, bytes(file.size)) : t.drop}</span>
      <input
        accept=".ndjson,.jsonl,.csv,.tsv,.txt"
        aria-label={t.choose}
        className="sr-only"
        onChange={(event) => choose(event.target.files?.[0])}
        type="file"
      />
    </label>
  );
}
