import { setTimeout as sleep } from 'node:timers/promises';
import { appendTo } from '../../domain/collections/append-to.ts';
import { inCausalOrder } from '../../store/mongodb/causal-order.ts';
import { parts } from '../../store/mongodb/parts.ts';
import type { Check, FaultKind, IntegrityParts, Suspect } from './check.ts';
import { checkBatches } from './check-batches.ts';
import { checkImports } from './check-imports.ts';
import { leftoverChecks } from './check-leftovers.ts';
import { checkResources } from './check-resources.ts';
import { checkWaits } from './check-waits.ts';

/** A fault. */
export interface Fault extends Suspect {
  /** Whether the check can repair faults of this kind. */
  readonly isRepairable: boolean;
  /** Whether it has, and the fault is gone. */
  readonly isRepaired: boolean;
}

/** How far the check is. */
interface Progress {
  readonly checked: string;
}

export interface IntegrityOptions {
  /**
   * How long a suspect has to stay as it is to be a fault, in ms: longer than an activity, its repetition and a pass of recovery take,
   * because what a worker leaves that dies is repaired by then.
   */
  readonly settleMs: number;
  readonly repair: boolean;
}

/** Suspects that are held until they are looked at again; if there are more, the first ones are looked at before the rest is read. */
const MOST_HELD = 10_000;
/** Suspects that are looked at again, or repaired, at a time. */
const AT_ONCE = 200;
/** How long a repair may take that a workflow makes, in ms, and how often it is looked for. */
const REPAIR_MS = 10_000;
const REPAIR_POLL_MS = 200;

interface Held {
  readonly check: Check;
  readonly suspect: Suspect;
}

/**
 * Goes through everything that is stored, beside running batches, in bounded memory. What it finds it looks at again after a while, and says
 * only what has not changed: a document that is the same at two times was the same in between, when its fault was seen. So nothing
 * is reported that is merely in progress.
 */
export async function* checkIntegrity(
  given: IntegrityParts,
  options: IntegrityOptions,
): AsyncGenerator<Fault | Progress> {
  const held: Held[] = [];
  for (const check of checksOf(given)) {
    // each page is read, and compared, in causal order
    for (const pages = check.suspects(); ; ) {
      const { value, done } = await inCausalOrder(() => pages.next());
      if (done) break;
      held.push(...value.map((suspect) => ({ check, suspect })));
      if (held.length >= MOST_HELD) yield* faultsAmong(held.splice(0), options);
    }
    yield { checked: check.collection };
  }
  yield* faultsAmong(held, options);
}

const checksOf = (given: IntegrityParts): readonly Check[] => [
  checkResources(given.database),
  checkBatches(given),
  checkWaits(given),
  ...leftoverChecks(given.database),
  checkImports(given),
];

async function* faultsAmong(held: readonly Held[], { settleMs, repair }: IntegrityOptions): AsyncGenerator<Fault> {
  if (held.length === 0) return;
  await sleep(settleMs);
  const byCheck = new Map<Check, Suspect[]>();
  for (const { check, suspect } of held) appendTo(byCheck, check, suspect);
  for (const [check, suspects] of byCheck) {
    for (const portion of parts(suspects, AT_ONCE)) {
      const faults = await stillThere(check, portion);
      const isRepaired = repair ? await repaired(check, faults) : () => false;
      for (const fault of faults)
        yield { ...fault, isRepairable: fault.kind in check.repairs, isRepaired: isRepaired(fault) };
    }
  }
}

/** What is the same in both: the state says whether anybody has worked on it. */
const identity = ({ kind, id, state }: Suspect): string => JSON.stringify([kind, id, state]);

async function stillThere(check: Check, suspects: readonly Suspect[]): Promise<Suspect[]> {
  if (suspects.length === 0) return [];
  const before = new Set(suspects.map(identity));
  const found: Suspect[] = [];
  for (const pages = check.again([...new Set(suspects.map(({ id }) => id))]); ; ) {
    const { value, done } = await inCausalOrder(() => pages.next());
    if (done) return found;
    found.push(...value.filter((suspect) => before.has(identity(suspect))));
  }
}

/** Repairs what can be repaired. @returns whether a fault is gone. */
async function repaired(check: Check, faults: readonly Suspect[]): Promise<(fault: Suspect) => boolean> {
  const kinds = [...new Set(faults.map(({ kind }) => kind))];
  const ofKind = (kind: FaultKind): Suspect[] => faults.filter((fault) => fault.kind === kind);
  for (const kind of kinds) await inCausalOrder(async () => check.repairs[kind]?.(ofKind(kind)));
  const repairable = faults.filter(({ kind }) => kind in check.repairs);
  const deadline = Date.now() + REPAIR_MS;
  for (;;) {
    const left = new Set((await stillThere(check, repairable)).map(identity));
    if (left.size === 0 || Date.now() > deadline)
      return (fault) => fault.kind in check.repairs && !left.has(identity(fault));
    await sleep(REPAIR_POLL_MS);
  }
}

/** One line for people. */
export function faultLine({ kind, collection, id, detail, isRepairable, isRepaired }: Fault): string {
  const repair = isRepaired ? ' (repaired)' : isRepairable ? ' (repairable)' : '';
  // ids are what callers have sent: a control character would do something to the terminal
  return `${kind}: ${collection} ${id}: ${detail}${repair}`.replace(/\p{Cc}/gu, ' ');
}
