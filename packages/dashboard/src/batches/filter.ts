import type { components } from '@drover/client';
import type { Place } from '../shell/place.ts';

/** As a list of batches and an operation on many of them take it. */
type BatchFilter = components['schemas']['BatchFilter'];
export type FilterName = keyof BatchFilter;

const FILTER_NAMES = [
  'status',
  'batchType',
  'schema',
  'createdAfter',
  'createdBefore',
  'label',
  'createdBy',
  'importId',
  'externalId',
] as const satisfies readonly FilterName[];

/** The values are those of the address: what the service does not know, it refuses in words. */
export const filterOf = ({ query }: Place): Readonly<Record<string, string>> =>
  Object.fromEntries(
    FILTER_NAMES.flatMap((name) => {
      const value = query.get(name);
      return value ? [[name, value]] : [];
    }),
  );

export const hasFilters = (place: Place): boolean => Object.keys(filterOf(place)).length > 0;
