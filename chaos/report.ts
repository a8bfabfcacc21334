import type { NetworkFault } from '../testkit/proxy.ts';
import type { Findings } from './checker.ts';
import type { Violation } from './checks/violation.ts';
import { type Happened, neverHappened } from './happened.ts';
import type { Journal } from './record/journal.ts';
import type { Snapshot } from './record/snapshot.ts';
import type { ItemAnswer } from './workload/answers.ts';

/** What a run did. */
export interface ChaosReport {
  readonly seed: string;
  readonly loadSeconds: number;
  readonly drainSeconds: number;
  /** Process -> kills (-9). */
  readonly kills: Readonly<Record<string, number>>;
  /** Process -> pauses (SIGSTOP); null where there were to be none. */
  readonly pauses: Readonly<Record<string, number>> | null;
  /** What was to happen, and how often it did. */
  readonly happened: Happened;
  /** Ends of processes that this run has not caused: they were started again. */
  readonly ownEnds: Readonly<Record<string, number>>;
  /** Proxy -> faults by kind. */
  readonly faults: Readonly<Record<string, Readonly<Record<NetworkFault, number>>>>;
  readonly requests: number;
  /** Requests whose answer a client never had. */
  readonly unanswered: number;
  /** Of these, those that had become a batch all the same. */
  readonly unansweredButDone: number;
  readonly resentWithKey: number;
  readonly controls: number;
  /** Changes of definitions, by status of the answer. */
  readonly definitionChanges: Readonly<Record<string, number>>;
  readonly reads: number;
  readonly batches: number;
  readonly items: number;
  /** `operation status action` -> items. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly cascaded: number;
  readonly resources: { readonly seen: number; readonly stored: number; readonly undecided: number };
  readonly violations: readonly Violation[];
}

interface RunFacts
  extends Pick<ChaosReport, 'loadSeconds' | 'drainSeconds' | 'kills' | 'pauses' | 'ownEnds' | 'faults' | 'happened'> {
  readonly journal: Journal;
  readonly snapshot: Snapshot;
  readonly findings: Findings;
}

export function reportOf({ journal, snapshot, findings, ...facts }: RunFacts): ChaosReport {
  const batches = snapshot.tenants.flatMap((tenant) => tenant.batches);
  const items = batches.flatMap(({ batch, items: own }) => (own ?? []).map((item) => [batch.operation, item] as const));
  const outcomes: Record<string, number> = {};
  for (const [operation, item] of items) {
    const name = outcomeName(operation, item);
    outcomes[name] = (outcomes[name] ?? 0) + 1;
  }
  const unanswered = journal.requests.filter(({ results }) => results.every(({ kind }) => kind === 'unknown'));
  const accepted = new Set(
    journal.requests.flatMap(({ results }) =>
      results.flatMap((result) => (result.kind === 'accepted' ? [result.batchId] : [])),
    ),
  );
  return {
    seed: journal.seed,
    definitionChanges: journal.definitionChanges,
    ...facts,
    requests: journal.requests.length,
    unanswered: unanswered.length,
    unansweredButDone: batches.filter(({ batch }) => !accepted.has(batch.batchId)).length,
    resentWithKey: journal.requests.filter(({ key, results }) => key !== undefined && results.length > 1).length,
    controls: journal.controls.length,
    reads: journal.reads.length,
    batches: batches.length,
    items: items.length,
    outcomes: Object.fromEntries(Object.entries(outcomes).sort(([a], [b]) => a.localeCompare(b))),
    cascaded: batches.reduce((sum, { batch }) => sum + (batch.actions.cascaded ?? 0), 0),
    resources: { seen: findings.resources, stored: snapshot.raw.resources.length, undecided: findings.undecided },
    violations: findings.violations,
  };
}

function outcomeName(operation: string, { status, action, errors }: ItemAnswer): string {
  return [operation, status, action ?? errors?.[0]?.code]
    .filter((part) => part !== undefined && part !== status)
    .join(' ');
}

const MAX_SHOWN = 40;

/** The report for people. @param command that runs the same again. */
export function describe(report: ChaosReport, command: string): string {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .filter(([, n]) => n > 0)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ') || 'none';
  const { violations } = report;
  const never = neverHappened(report.happened);
  const lines = [
    `chaos, seed ${report.seed}: ${report.loadSeconds.toFixed(0)} s of load, ${report.drainSeconds.toFixed(0)} s until all had ended and was checked`,
    `  kills       ${list(report.kills)}`,
    ...(report.pauses === null ? [] : [`  pauses      ${list(report.pauses)}`]),
    `  own ends    ${list(report.ownEnds)}`,
    `  happened    ${Object.entries(report.happened)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')}`,
    ...(never.length > 0 ? [`  NEVER       ${never.join(', ')}`] : []),
    ...Object.entries(report.faults).map(([proxy, counts]) => `  ${proxy}: ${list(counts)}`),
    `  requests    ${report.requests}; never answered ${report.unanswered}, of these done all the same ${report.unansweredButDone}; sent again with their key ${report.resentWithKey}`,
    `  besides     ${report.controls} suspend, resume, cancel, retry; ${report.reads} reads of resources`,
    `  definitions changed by PUT: ${list(report.definitionChanges)}`,
    `  batches     ${report.batches}, items ${report.items}, cascaded deletions ${report.cascaded}`,
    ...Object.entries(report.outcomes).map(([name, n]) => `    ${name}: ${n}`),
    `  resources   ${report.resources.seen} with a history, ${report.resources.stored} stored at the end; too many orders to try for ${report.resources.undecided}`,
    violations.length === 0 ? 'every invariant holds' : `${violations.length} VIOLATIONS`,
    ...violations.slice(0, MAX_SHOWN).map((violation) => `  ${describeViolation(violation)}`),
    ...(violations.length > MAX_SHOWN ? [`  and ${violations.length - MAX_SHOWN} more`] : []),
    ...(violations.length > 0 ? [`again: ${command}`] : []),
  ];
  return lines.join('\n');
}

function describeViolation({ rule, detail, tenant, batchId, request, item, key }: Violation): string {
  const where = Object.entries({ tenant, batch: batchId, request, item, key }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`],
  );
  return `[${rule}] ${where.join(', ')}: ${detail}`;
}
