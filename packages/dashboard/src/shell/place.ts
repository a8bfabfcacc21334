import { useSyncExternalStore } from 'react';

/**
 * Where the user is: a path and a query behind `#`. There a browser changes nothing, so that a resource whose id is `..` has a place, and
 * no place can be taken for a path of the API.
 */
export interface Place {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

function parse(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return { path: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

let [lastHash, lastPlace] = ['', parse('')];

/** The same object for the same place. */
function place(): Place {
  if (location.hash !== lastHash) [lastHash, lastPlace] = [location.hash, parse(location.hash)];
  return lastPlace;
}

function onPlace(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}

export const usePlace = (): Place => useSyncExternalStore(onPlace, place);

/** The address of a place. @param query values that are empty or undefined are left out. */
export function to(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  return `#/${path.map(encodeURIComponent).join('/')}${search.size > 0 ? `?${search}` : ''}`;
}

export const go = (address: string): void => {
  location.hash = address;
};
