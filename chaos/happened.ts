import { NETWORK_FAULTS, type NetworkFault } from '../testkit/proxy.ts';
import type { Journal } from './record/journal.ts';

/** What a run is to have done, by name: actions of clients, what came of requests to control batches, faults. 0: it did not happen. */
export type Happened = Readonly<Record<string, number>>;

export interface FaultFacts {
  /** Process -> kills (-9). */
  readonly kills: Readonly<Record<string, number>>;
  /** Process -> pauses (SIGSTOP); null where there are to be none. */
  readonly pauses: Readonly<Record<string, number>> | null;
  /** Times in which Temporal refused every start; null where there are to be none. */
  readonly refusals: number | null;
  /** Proxy -> faults by kind. */
  readonly faults: Readonly<Record<string, Readonly<Record<NetworkFault, number>>>>;
}

const VERBS = ['suspend', 'resume', 'cancel', 'retry'] as const;

/** @param actions that clients are to do. */
export function whatHappened(journal: Journal, actions: readonly string[], facts: FaultFacts): Happened {
  const { controls, halts, removals, undos, definitionChanges } = journal;
  const undone = (isImport: boolean): number =>
    undos.filter(({ status, isImport: of = false }) => status === 202 && of === isImport).length;
  const total = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  return {
    ...Object.fromEntries(actions.map((name) => [name, journal.actions[name] ?? 0])),
    ...(actions.includes('changeDefinition') && { 'definition changed': definitionChanges['200'] ?? 0 }),
    ...Object.fromEntries(
      VERBS.map((verb) => [
        `${verb} done`,
        controls.filter((control) => control.verb === verb && (control.status ?? 400) < 300).length,
      ]),
    ),
    'backlog suspended': halts.filter(({ verb }) => verb === 'suspend').length,
    'backlog cancelled': halts.filter(({ verb }) => verb === 'cancel').length,
    'batch removed': removals.filter(({ status }) => status === 200).length,
    'webhook told': journal.told.length,
    'batch undone': undone(false),
    'import undone': undone(true),
    'removal followed up': removals.filter(({ sample }) => sample !== undefined).length,
    ...named('kill', facts.kills),
    ...(facts.pauses && { pause: total(facts.pauses) }),
    ...(facts.refusals !== null && { 'starts refused for a while': facts.refusals }),
    ...Object.fromEntries(
      NETWORK_FAULTS.map((fault) => [
        fault,
        total(Object.fromEntries(Object.entries(facts.faults).map(([proxy, counts]) => [proxy, counts[fault]]))),
      ]),
    ),
  };
}

const named = (what: string, counts: Readonly<Record<string, number>>): Happened =>
  Object.fromEntries(Object.entries(counts).map(([name, count]) => [`${what} of ${name}`, count]));

export const neverHappened = (happened: Happened): string[] =>
  Object.entries(happened).flatMap(([name, count]) => (count === 0 ? [name] : []));
