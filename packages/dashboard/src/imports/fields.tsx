import type { UploadOptions } from '@drover/client';
import type { ReactNode } from 'react';
import { useSchemaNames } from '../data/use-schemas.ts';
import { strings } from '../strings.ts';

const { upload: t } = strings;

interface FieldProps<T extends string> {
  readonly value: T;
  readonly onChange: (value: T) => void;
}

export function Select<T extends string>({
  label,
  value,
  onChange,
  children,
}: FieldProps<T> & { label: string; children: ReactNode }) {
  return (
    <label className="field">
      <span>{label}</span>
      <select onChange={(event) => onChange(event.target.value as T)} value={value}>
        {children}
      </select>
    </label>
  );
}

export function Checkbox({
  label,
  checked,
  onChange,
}: {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  return (
    <label className="check">
      <input checked={checked} onChange={(event) => onChange(event.target.checked)} type="checkbox" />
      <span>{label}</span>
    </label>
  );
}

/** A schema from the list, or by name where the token may not list them. */
export function SchemaField({ value, onChange }: FieldProps<string>) {
  const names = useSchemaNames();
  if (names === undefined)
    return (
      <label className="field">
        <span>{t.schema}</span>
        <input onChange={(event) => onChange(event.target.value)} required value={value} />
      </label>
    );
  return (
    <label className="field">
      <span>{t.schema}</span>
      <select onChange={(event) => onChange(event.target.value)} required value={value}>
        <option disabled value="">
          {t.chooseSchema}
        </option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

type OnConflict = NonNullable<UploadOptions['onconflict']>;

export function ConflictField(props: FieldProps<OnConflict>) {
  return (
    <Select label={t.onconflict} {...props}>
      <option value="upsert">{t.upsert}</option>
      <option value="reject">{t.reject}</option>
    </Select>
  );
}

/** In seconds, or `import`. */
export type Wait = 'import' | '0' | '3600' | '86400';

/** @param isImport other rows of the import may create what is missing. */
export function WaitField({ isImport, ...props }: FieldProps<Wait> & { isImport: boolean }) {
  return (
    <Select label={t.wait} {...props}>
      {isImport && <option value="import">{t.waitImport}</option>}
      <option value="0">{t.waitNone}</option>
      <option value="3600">{t.waitHour}</option>
      <option value="86400">{t.waitDay}</option>
    </Select>
  );
}
