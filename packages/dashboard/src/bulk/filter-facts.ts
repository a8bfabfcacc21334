import { strings } from '../strings.ts';

/** A filter in words; values that callers have sent in other shapes are shown as they are. */
export const filterFacts = (filter: Readonly<Record<string, unknown>>): [string, string][] =>
  Object.entries(filter).map(([name, value]) => [
    strings.batches.filterNames[name as keyof typeof strings.batches.filterNames] ?? name,
    [value].flat().map(String).join(', ').replaceAll(',', ', ').replaceAll(/ +/g, ' '),
  ]);
