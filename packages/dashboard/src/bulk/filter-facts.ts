import { strings } from '../strings.ts';

/** A filter in words; values that callers have sent in other shapes are shown as they are. */
export const filterFacts = (filter: Readonly<Record<string, unknown>>): [string, string][] =>
  Object.entries(filter).map(([name, value]) => [
    strings.batches.filterNames[name as keyof typeof strings.batches.filterNames] ?? name,
    // several values are an array, or have commas between
    name === 'status' || name === 'batchType' || name === 'schema'
      ? String(value).split(',').map(nameOf).join(', ')
      : String(value),
  ]);

const nameOf = (value: string): string => strings.statuses[value as keyof typeof strings.statuses] ?? value;
