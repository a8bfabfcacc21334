import { type JsonText, toJsonText } from '../json/json-text.ts';
import type { NewResource } from '../types.ts';

/** Most resources of one request. */
export const MAX_RESOURCES = 1000;
/** Largest body that is sent, in bytes: the service takes 16 MiB, but only so long for a request that slow links send less in it. */
const MAX_BYTES = 4 * 1024 ** 2;

/** What one request has of a source of any length. */
export interface Cut {
  readonly number: number;
  /** Place of its first resource, from 0. */
  readonly first: number;
  readonly resources: readonly JsonText[];
}

/** The same cuts for the same resources: a later run with the same key sends the same requests. */
export async function* cutsOf(
  resources: AsyncIterable<NewResource> | Iterable<NewResource>,
  batchSize: number,
): AsyncGenerator<Cut, void> {
  let [number, first, bytes] = [0, 0, 0];
  let collected: JsonText[] = [];
  for await (const given of resources) {
    // an object that its caller changes afterwards is sent as it was
    const resource = toJsonText(given);
    const size = sizeOf(resource);
    if (collected.length >= batchSize || (collected.length > 0 && bytes + size > MAX_BYTES)) {
      yield { number, first, resources: collected };
      [number, first, bytes] = [number + 1, first + collected.length, 0];
      collected = [];
    }
    collected.push(resource);
    bytes += size;
  }
  if (collected.length > 0) yield { number, first, resources: collected };
}

/** In UTF-8, with its comma. */
const sizeOf = ({ text }: JsonText): number => new TextEncoder().encode(text).length + 1;
