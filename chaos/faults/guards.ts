import type { Aim } from '../../testkit/proxy.ts';
import type { Workload } from '../workload/workload.ts';
import type { Faults } from './faults.ts';

/** A change of one source file. */
export interface SourceChange {
  readonly file: string;
  /** The text to replace. The file contains it exactly once. */
  readonly text: string;
  readonly without: string;
}

/** A guard of the service, the change of the sources that removes it, and how the checker finds that. */
export interface Guard extends SourceChange {
  readonly protects: string;
  /** Code that would repair the damage before the checker reads: it is removed as well. */
  readonly repair?: SourceChange;
  /** Requests that conflict at the place that the guard protects. */
  readonly workload: Workload;
  readonly faults: Faults;
  /** Rules of the checker; a violation of one of them has to be reported. */
  readonly breaks: readonly string[];
}

/** A fault at every command of one kind from the workers, where the guard is needed; beside it only delays. */
const aimedAt = (texts: readonly string[], fault: Aim['fault'], { ms = 0, probability = 1 }): Faults => ({
  killEveryMs: null,
  pauseEveryMs: null,
  network: { delayAnswer: 1, delayRequest: 1 },
  standing: [{ proxy: 'workers to MongoDB', aim: { texts, fault, ms }, probability }],
});

export const GUARDS = {
  'write-record': {
    protects:
      'effects happen once: a repeated attempt recognizes by the write records what an earlier attempt has written',
    file: 'activities/write/write-items.ts',
    text: 'const entry = entryOf(resources.own.get(item.key), item);',
    without: 'const entry = undefined as ReturnType<typeof entryOf>; void entryOf;',
    workload: { rejectingOnce: 1 },
    // the resources are inserted, and the activity does not receive the answer
    faults: aimedAt(['insert', 'resources'], 'dropAnswer', { probability: 0.3 }),
    breaks: ['effects do not add up', 'no order explains it', 'value without a writer'],
  },
  'check-after-intent': {
    protects:
      'no dangling reference: after its intent is stored, a writer checks whether its targets have deletion marks',
    file: 'isolation/resources/read-for-writing.ts',
    text: 'await resolveMarks(database, attempt, documents)',
    without: 'await resolveMarks(database, attempt, [...own.stored.values()])',
    workload: { deleteAgainstReferences: 1 },
    // between the check for writers and the removal of the resources
    faults: aimedAt(['insert', 'commits'], 'delayRequest', { ms: 1_000 }),
    breaks: ['dangling reference'],
  },
  'register-before-check': {
    protects: 'no lost wake-up: a waiting batch registers, then checks, then sleeps',
    file: 'workflows/batch-progress.ts',
    text: 'if (this.plan.applied(left, now)) this.state.woken = true;',
    without: 'this.plan.applied(left, now);',
    // within a minute, recovery finds batches that wait for resources which exist
    repair: { file: 'activities/recover.ts', text: '  checkWaits,\n', without: '' },
    workload: { waitAgainstCreation: 1 },
    // between the check of what exists and the registration
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
