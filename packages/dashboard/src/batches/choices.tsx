import type { ReactNode } from 'react';
import { Popover } from '../ui/popover.tsx';

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** One of several values. */
export function Choice({ label, value, onChange, children }: ChoiceProps & { children: ReactNode }) {
  return (
    <label className="filter">
      <span className="sr-only">{label}</span>
      <select onChange={(event) => onChange(event.target.value)} value={value}>
        {children}
      </select>
    </label>
  );
}

/** Any number of values, with commas between. @param any what it says while none is chosen. */
export function Several({
  label,
  value,
  onChange,
  any,
  options,
}: ChoiceProps & { any: string; options: readonly (readonly [value: string, name: string])[] }) {
  const chosen = value === '' ? [] : value.split(',');
  const toggle = (each: string): void => {
    const left = chosen.filter((one) => one !== each);
    const next = left.length < chosen.length ? left : [...chosen, each];
    onChange(options.flatMap(([one]) => (next.includes(one) ? [one] : [])).join());
  };
  const names = options.flatMap(([one, name]) => (chosen.includes(one) ? [name] : []));
  return (
    <Popover label={label} text={names.length > 0 ? names.join(', ') : any}>
      <fieldset className="choices">
        <legend className="sr-only">{label}</legend>
        {options.map(([each, name]) => (
          <label className="check" key={each}>
            <input checked={chosen.includes(each)} onChange={() => toggle(each)} type="checkbox" />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
    </Popover>
  );
}
