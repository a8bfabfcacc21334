import { closestMatch } from 'leven';
import { shortened } from '../../domain/json/shortened.ts';
import { wellFormed } from '../../domain/json/well-formed.ts';

/** The options of a request, by place. */
export interface KnownNames {
  readonly query: readonly string[];
  readonly body: readonly string[];
}

const PLACES = {
  query: { what: 'a query parameter of this request', belongs: 'in the query' },
  body: { what: 'a field of this body', belongs: 'in the body' },
} as const;
export type Place = keyof typeof PLACES;

/** Number of letters in which a misspelt name may differ, and the share of the name. */
const MAX_DISTANCE = 2;
const MAX_DISTANCE_SHARE = 1 / 3;
/** Longest name that is compared and repeated, in characters. */
const MAX_NAME = 100;

/** For an unknown name in a request: the name that was meant, or the place where it belongs. */
export function unknownName(name: string, place: Place, known: KnownNames): string {
  const other: Place = place === 'query' ? 'body' : 'query';
  const shown = shortened(wellFormed(name), MAX_NAME);
  const fault = `${shown}: is not ${PLACES[place].what}`;
  const here = sameName(name, known[place]);
  const there = here === undefined ? sameName(name, known[other]) : undefined;
  const near = here ?? (there === undefined ? nearName(name, known[place]) : undefined);
  if (near !== undefined) return `${fault}; did you mean "${near}"?`;
  const elsewhere = there ?? nearName(name, known[other]);
  if (elsewhere !== undefined) return `${fault}; "${elsewhere}" belongs ${PLACES[other].belongs}`;
  return known[place].length === 0 ? `${fault}, which takes none` : `${fault}; it takes ${known[place].join(', ')}`;
}

/** A name in another spelling: `on-conflict`, `OnConflict`. */
function sameName(name: string, candidates: readonly string[]): string | undefined {
  const wanted = withoutStyle(name);
  return candidates.find((candidate) => withoutStyle(candidate) === wanted);
}

function nearName(name: string, candidates: readonly string[]): string | undefined {
  if (name.length > MAX_NAME) return undefined;
  const wanted = withoutStyle(name);
  const maxDistance = Math.min(MAX_DISTANCE, Math.floor(wanted.length * MAX_DISTANCE_SHARE));
  const near = closestMatch(wanted, candidates.map(withoutStyle), { maxDistance });
  return near === undefined ? undefined : sameName(near, candidates);
}

const withoutStyle = (name: string): string => name.toLowerCase().replaceAll(/[-_\s]/g, '');
