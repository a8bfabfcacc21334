import type { Client } from '@temporalio/client';
import type { Database } from '../../store/mongodb/database.ts';
import type { Scan } from '../../store/mongodb/scan.ts';

/** What the checks read, and repair with. */
export interface IntegrityParts {
  readonly database: Database;
  readonly client: Client;
  readonly taskQueue: string;
}

/** The faults that are looked for; docs/day-two.md says of each what it means. */
export type FaultKind =
  | 'dangling reference'
  | 'references differ'
  | 'wrong identity'
  | 'wrong version'
  | 'wrong size'
  | 'no schema definition'
  | 'effect without outcome'
  | 'left mark'
  | 'left placeholder'
  | 'items lost'
  | 'item without outcome'
  | 'counts differ'
  | 'no workflow'
  | 'not started'
  | 'not removed'
  | 'left claims'
  | 'not registered'
  | 'asleep'
  | 'left registration'
  | 'left pending item'
  | 'left claim'
  | 'left list'
  | 'left intent'
  | 'left step'
  | 'left group'
  | 'left page'
  | 'left outcomes'
  | 'left state'
  | 'left content'
  | 'left note'
  | 'import counts differ'
  | 'content lost';

/** What may be a fault, or something in progress: it is a fault if it is still there, in the same state, some time later. */
export interface Suspect {
  readonly kind: FaultKind;
  /** The collection and the `_id` of the document. */
  readonly collection: string;
  readonly id: string;
  /** Changes whenever somebody works on it. */
  readonly state: string;
  readonly detail: string;
}

/** What a check says of a document; its collection is that of the scan. */
export type Suspicion = Omit<Suspect, 'collection'>;

/** Repairs faults of one kind. Each write has its condition in its filter: what has changed since stays as it is. */
type Repair = (found: readonly Suspicion[]) => Promise<void>;

/** A part of the integrity check, which goes through one collection. */
export interface Check {
  readonly collection: string;
  readonly repairs: Partial<Record<FaultKind, Repair>>;
  /** Suspects among all documents, some at a time. */
  suspects(): AsyncGenerator<Suspect[]>;
  /** Suspects among these documents. */
  again(ids: readonly string[]): AsyncGenerator<Suspect[]>;
}

export function checkOf<D extends { readonly _id: string }>(
  scan: Scan<D>,
  suspicionsIn: (page: readonly D[]) => Promise<readonly Suspicion[]>,
  repairs: Check['repairs'] = {},
): Check {
  async function* within(pages: AsyncGenerator<D[]>): AsyncGenerator<Suspect[]> {
    for await (const page of pages)
      yield (await suspicionsIn(page)).map((found) => ({ ...found, collection: scan.name }));
  }
  return {
    collection: scan.name,
    repairs,
    suspects: () => within(scan.pages()),
    again: (ids) => within(scan.again(ids)),
  };
}

export const idsOf = (found: readonly Suspicion[]): string[] => found.map(({ id }) => id);

/** A few names, and how many more there are. */
export function some(names: readonly string[], most = 3): string {
  const more = names.length - most;
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
