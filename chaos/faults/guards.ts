import type { Aim } from '../../testkit/proxy.ts';
import type { Workload } from '../workload/workload.ts';
import type { Faults } from './faults.ts';

/** A change of one source file. */
export interface SourceChange {
  readonly file: string;
  /** Exactly this, once. */
  readonly text: string;
  readonly without: string;
}

/** A guard of the service, the change of its sources that takes it away, and what finds it out. */
export interface Guard extends SourceChange {
  readonly protects: string;
  /** What would repair, before the checker reads, what the guard prevents: it is taken away as well. */
  readonly repair?: SourceChange;
  /** Requests that meet where the guard is needed. */
  readonly workload: Workload;
  readonly faults: Faults;
  /** Rules of the checker, one of which has to be broken. */
  readonly breaks: readonly string[];
}

/** A fault at every command of the workers of one kind, where the guard is needed; no other but some delay. */
const aimedAt = (texts: readonly string[], fault: Aim['fault'], { ms = 0, probability = 1 }): Faults => ({
  killEveryMs: null,
  pauseEveryMs: null,
  network: { delayAnswer: 1, delayRequest: 1 },
  standing: [{ proxy: 'workers to MongoDB', aim: { texts, fault, ms }, probability }],
});

export const GUARDS = {
  'redelivery-record': {
    protects: 'effects happen once: an activity delivered again recognizes by their records what it has written',
    file: 'activities/write/write-items.ts',
    text: 'const entry = entryOf(resources.own.get(item.key), item);',
    without: 'const entry = undefined as ReturnType<typeof entryOf>; void entryOf;',
    workload: { rejectingOnce: 1 },
    // the resources are inserted, and the activity does not hear of it
    faults: aimedAt(['insert', 'resources'], 'dropAnswer', { probability: 0.3 }),
    breaks: ['effects do not add up', 'no order explains it', 'value of nobody'],
  },
  'second-look': {
    protects: 'no dangling reference: with its intent laid, a writer looks whether what it refers to is leaving',
    file: 'isolation/resources/read-for-writing.ts',
    text: 'await resolveMarks(database, attempt, documents)',
    without: 'await resolveMarks(database, attempt, [...own.stored.values()])',
    workload: { deleteAgainstReferences: 1 },
    // between the look for writers and the moment at which the resources are gone
    faults: aimedAt(['insert', 'commits'], 'delayRequest', { ms: 1_000 }),
    breaks: ['dangling reference'],
  },
  'register-before-look': {
    protects: 'no lost wake-up: who waits registers, then looks, then sleeps',
    file: 'workflows/batch-progress.ts',
    text: 'if (this.plan.applied(left, now)) this.state.woken = true;',
    without: 'this.plan.applied(left, now);',
    // recovery finds within a minute who waits for what is there
    repair: { file: 'activities/recover.ts', text: '  checkWaits,\n', without: '' },
    workload: { waitAgainstCreation: 1 },
    // between the look at what is there and the registration
    faults: aimedAt(['update', 'waits', '$set'], 'delayRequest', { ms: 500 }),
    breaks: ['asleep'],
  },
  'version-check': {
    protects: 'no lost update: an update names the version that it read',
    file: 'isolation/resources/write-resources.ts',
    text: '        version: from.version,\n        leaving:',
    without: '        leaving:',
    workload: { patchesAtOnce: 1 },
    // between the read and the write
    faults: aimedAt(['update', 'resources', '$set'], 'delayRequest', { ms: 200 }),
    breaks: ['no order explains it', 'reads that contradict'],
  },
} as const satisfies Record<string, Guard>;

export type GuardName = keyof typeof GUARDS;
export const GUARD_NAMES = Object.keys(GUARDS) as GuardName[];
