import { logPostponed } from '../../services/failures.ts';
import { isOver, type Portion, type PortionResult } from './job.ts';

/** Most documents of one portion. */
export const PER_PORTION = 100;
/** Timeout of the calls for one, in ms. */
const CALL_TIMEOUT_MS = 10_000;

interface Document {
  readonly _id: string;
}

/**
 * Acts on documents, each with a deadline; one that fails is left to the next pass and does not delay the others.
 * @param what the work, for the log. @param about the fields that name a document there. @returns how many were changed.
 */
export async function forEachDocument<D extends Document>(
  { context, signal, until }: Portion,
  documents: readonly D[],
  { what, about }: { readonly what: string; readonly about: (document: D) => object },
  act: (document: D) => Promise<boolean>,
): Promise<number> {
  let changed = 0;
  for (const document of documents) {
    if (isOver({ signal, until })) break;
    try {
      if (await context.client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () => act(document))) changed += 1;
    } catch (error) {
      logPostponed(context.logger, error, about(document), `${what} failed; the next pass retries it`);
    }
  }
  return changed;
}

/** The next portion continues after this page; after the last one it begins anew. */
export function nextPage(
  { places }: Portion,
  place: string,
  page: readonly Document[],
  recovered: PortionResult['recovered'],
): PortionResult {
  const last = page.at(-1);
  const hasMore = page.length === PER_PORTION && last !== undefined;
  if (hasMore) places.set(place, last._id);
  else places.delete(place);
  return { recovered, hasMore };
}
