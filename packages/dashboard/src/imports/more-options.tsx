import type { ImportOptions, UploadOptions } from '@drover/client';
import { strings } from '../strings.ts';
import { utcTime } from '../ui/local-time.ts';
import { Checkbox, Select } from './fields.tsx';

const { upload: t } = strings;

/** As they stand in the fields; what is empty is not sent. */
interface MoreValues {
  readonly label: string;
  readonly priority: string;
  /** As `<input type="datetime-local">` has it. */
  readonly startAt: string;
  readonly undoable: boolean;
  readonly retentionDays: string;
  readonly resourcesPerActivity: string;
  readonly maxPerSecond: string;
}

export const NO_MORE: MoreValues = {
  label: '',
  priority: '',
  startAt: '',
  undoable: false,
  retentionDays: '',
  resourcesPerActivity: '',
  maxPerSecond: '',
};

type More = Pick<UploadOptions & ImportOptions, keyof MoreValues>;

/** What a batch takes, and what an import does. */
export const OF_BATCH = ['label', 'priority', 'startAt', 'retentionDays', 'resourcesPerActivity', 'undoable'] as const;
export const OF_IMPORT = ['label', 'priority', 'startAt', 'retentionDays', 'maxPerSecond', 'undoable'] as const;
type Names = readonly (keyof MoreValues)[];

/** The options that are given, of those that are asked for. */
export function moreOptions<const N extends Names>(values: MoreValues, names: N): Pick<More, N[number]> {
  const all: More = {
    ...(values.label.trim() && { label: values.label.trim() }),
    ...(values.priority && { priority: Number(values.priority) }),
    ...(values.startAt && { startAt: utcTime(values.startAt) }),
    ...(values.undoable && { undoable: true }),
    ...(values.retentionDays && { retentionDays: Number(values.retentionDays) }),
    ...(values.resourcesPerActivity && { resourcesPerActivity: Number(values.resourcesPerActivity) }),
    ...(values.maxPerSecond && { maxPerSecond: Number(values.maxPerSecond) }),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name as N[number]))) as Pick<
    More,
    N[number]
  >;
}

const PRIORITIES = ['1', '2', '3', '4', '5'] as const;
/** Least and most of the fields that are numbers. */
const NUMBERS = { retentionDays: [0, 365], resourcesPerActivity: [1, 1_000], maxPerSecond: [1, undefined] } as const;

/** Options that are needed seldom, behind a word that opens them. */
export function MoreOptions({
  names,
  values,
  onChange,
}: {
  names: Names;
  values: MoreValues;
  onChange: (values: MoreValues) => void;
}) {
  const change = (changes: Partial<MoreValues>): void => onChange({ ...values, ...changes });
  return (
    <details className="more-options">
      <summary>{t.more}</summary>
      <div className="fields">
        {names.map((name) => (
          <Field change={change} key={name} name={name} values={values} />
        ))}
      </div>
    </details>
  );
}

function Field({
  name,
  values,
  change,
}: {
  name: keyof MoreValues;
  values: MoreValues;
  change: (changes: Partial<MoreValues>) => void;
}) {
  switch (name) {
    case 'undoable':
      return <Checkbox checked={values.undoable} label={t.undoable} onChange={(undoable) => change({ undoable })} />;
    case 'priority':
      return (
        <Select label={t.priority} onChange={(priority) => change({ priority })} value={values.priority}>
          <option value="">{t.priorityDefault}</option>
          {PRIORITIES.map((each) => (
            <option key={each} value={each}>
              {t.priorities[each]}
            </option>
          ))}
        </Select>
      );
    case 'label':
      return (
        <label className="field">
          <span>{t.label}</span>
          <input maxLength={100} onChange={(event) => change({ label: event.target.value })} value={values.label} />
        </label>
      );
    case 'startAt':
      return (
        <label className="field">
          <span>{t.startAt}</span>
          <input
            onChange={(event) => change({ startAt: event.target.value })}
            type="datetime-local"
            value={values.startAt}
          />
        </label>
      );
    default:
      return (
        <label className="field">
          <span>{t.numbers[name]}</span>
          <input
            max={NUMBERS[name][1]}
            min={NUMBERS[name][0]}
            onChange={(event) => change({ [name]: event.target.value })}
            placeholder={t.asConfigured}
            type="number"
            value={values[name]}
          />
        </label>
      );
  }
}
