import type { Batch } from '@drover/client';
import { strings } from '../strings.ts';
import { duration } from '../ui/format.ts';

const VALUES: Readonly<Record<string, (value: unknown) => string>> = {
  dependencyWaitTimeout: (value) =>
    typeof value === 'number' ? (value === 0 ? strings.no : duration(value * 1_000)) : strings.upload.waitImport,
};

/** Options of a batch or import, in words. Those that only other programs know keep their names. */
export const optionFacts = ({ options }: { options: Batch['options'] | object }): [string, string][] =>
  Object.entries(options).map(([name, value]) => [
    strings.options[name] ?? name,
    VALUES[name]?.(value) ?? (typeof value === 'boolean' ? (value ? strings.yes : strings.no) : String(value)),
  ]);
