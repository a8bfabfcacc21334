import type { components } from '@drover/client';
import { useSchemas } from '../data/use-schemas.ts';
import { strings } from '../strings.ts';
import { fieldsOf } from './schema-fields.ts';

const { mapping: t } = strings;

type Preview = components['schemas']['ImportPreview']['data'];
type Column = NonNullable<Preview['columns']>[number];
/** Fields of columns that have other names. */
export type Columns = Readonly<Record<string, string>>;

/** A column may have the name of something that every object has. */
const fieldFor = (columns: Columns, column: string): string =>
  (Object.hasOwn(columns, column) ? columns[column] : undefined) ?? column;

/** A name under which an import passes a column over: results have such a column, and are imported again. */
const LEFT_OUT = '_line';

/** Which column of a CSV file gives which field of a resource, with its value in the first row. */
export function ColumnMapping({
  preview,
  columns,
  schema,
  onChange,
}: {
  preview: Preview;
  columns: Columns;
  schema: string;
  onChange: (columns: Columns) => void;
}) {
  const definitions = useSchemas();
  const wanted = schema.toLowerCase();
  const definition = definitions.data?.find(({ name }) => name.toLowerCase() === wanted);
  const fields = definition && fieldsOf(definition);
  const set = (column: string, field: string): void => {
    const { [column]: _, ...others } = columns;
    onChange(field === column ? others : { ...others, [column]: field });
  };
  return (
    <section aria-label={t.title} className="mapping">
      <h3>{t.title}</h3>
      <div className="table-frame">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t.column}</th>
              <th scope="col">{t.field}</th>
              <th scope="col">{t.type}</th>
              <th className="cell-wide" scope="col">
                {t.sample}
              </th>
            </tr>
          </thead>
          <tbody>
            {(preview.columns ?? []).map((column) => (
              <tr key={column.column}>
                <td className="mono">{column.column}</td>
                <td>
                  <FieldChoice
                    column={column}
                    field={fieldFor(columns, column.column)}
                    fields={fields}
                    onChange={(field) => set(column.column, field)}
                  />
                </td>
                <td className="small muted">{column.field === null ? t.passedOver : column.type}</td>
                <td className="cell-wide mono small muted mapping-sample">{sampleOf(preview, column)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** @param fields absent where the token may not see the schema: then the name is typed. */
function FieldChoice({
  column: { column },
  field,
  fields,
  onChange,
}: {
  column: Column;
  field: string;
  fields: readonly string[] | undefined;
  onChange: (field: string) => void;
}) {
  if (fields === undefined)
    return (
      <input
        aria-label={t.fieldOf(column)}
        // each change is sent to the service: when the field is left, not at each key
        defaultValue={field}
        onBlur={(event) => onChange(event.target.value.trim() || column)}
        spellCheck={false}
      />
    );
  const isKnown = field === LEFT_OUT || fields.includes(field);
  return (
    <select aria-label={t.fieldOf(column)} onChange={(event) => onChange(event.target.value)} value={field}>
      {!isKnown && <option value={field}>{t.unknown(field)}</option>}
      {fields.map((each) => (
        <option key={each} value={each}>
          {each}
        </option>
      ))}
      <option value={LEFT_OUT}>{t.leaveOut}</option>
    </select>
  );
}

function sampleOf({ resources: [first] }: Preview, { field }: Column): string {
  if (first === undefined || field === null) return '';
  const value = field
    .split('.')
    .reduce<unknown>(
      (inner, name) => (Object.hasOwn(Object(inner), name) ? (inner as Record<string, unknown>)[name] : undefined),
      first.resource,
    );
  return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
}
