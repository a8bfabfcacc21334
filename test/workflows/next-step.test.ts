import { describe, expect, test } from 'vitest';
import { type NextStep, nextStep, type Situation } from '../../workflows/next-step.ts';

/** Changes of a situation; nested parts are merged. */
type Change = Partial<Omit<Situation, 'running' | 'plan' | 'pending'>> & {
  readonly running?: Partial<Situation['running']>;
  readonly plan?: Partial<Situation['plan']>;
  /** Deadlines of items by index. */
  readonly pending?: Partial<Situation['pending']> & { readonly deadlines?: readonly number[] };
};

const NOW = 10_000;
const WORK = { kind: 'items', indexes: [1, 2] } as const;

/** A batch whose plan is done and which has no pending items, with changes. */
function situation({ running, plan, pending: { deadlines = [], ...pending } = {}, ...rest }: Change): Situation {
  const indexes = [...deadlines.keys()];
  return {
    cancelled: false,
    suspended: false,
    isCancelStored: false,
    isUnrecorded: false,
    isLong: false,
    isNew: false,
    isSmall: false,
    concurrencyLimit: 3,
    ...rest,
    running: { local: 0, plan: 0, apply: 0, check: 0, expire: 0, store: 0, ...running },
    plan: { isDone: true, nextWork: undefined, planFrom: undefined, notBefore: 0, ...plan },
    pending: {
      count: deadlines.length,
      indexes,
      nextDeadline: deadlines.length === 0 ? undefined : Math.min(...deadlines),
      dueAt: (moment) => indexes.filter((index) => (deadlines[index] ?? 0) <= moment),
      woken: false,
      nextReady: undefined,
      isChecking: false,
      checkedAt: 0,
      checkNotBefore: 0,
      expireNotBefore: 0,
      ...pending,
    },
  };
}

const toPlan = { isDone: false, planFrom: 0 };
const toApply = { isDone: false, nextWork: WORK };
const waiting = { deadlines: [NOW + 500, NOW + 900] };
const due = { deadlines: [NOW - 500, NOW + 900] };

describe('the next step of a batch', () => {
  test.each<[name: string, change: Change, step: Partial<NextStep>]>([
    ['all is done', {}, { kind: 'finish' }],
    ['all is done and its last state is being stored', { running: { store: 1 } }, { kind: 'wait' }],
    ['nothing is planned', { plan: toPlan }, { kind: 'plan', cursor: 0 }],
    ['nothing has begun', { plan: toPlan, isNew: true }, { kind: 'plan', cursor: 0 }],
    ['nothing has begun, and there are few items', { plan: toPlan, isNew: true, isSmall: true }, { kind: 'run-small' }],
    ['it was suspended before it began', { plan: toPlan, isNew: true, suspended: true }, { kind: 'plan' }],
    ['it was cancelled before it began', { plan: toPlan, isNew: true, cancelled: true }, { kind: 'plan' }],
    [
      'it is suspended while a local activity runs',
      { plan: { isDone: false }, running: { local: 1, plan: 1 }, suspended: true, isUnrecorded: true },
      { kind: 'wait' },
    ],
    [
      'items expire while a local activity runs',
      { plan: { isDone: false }, running: { local: 1, plan: 1 }, pending: due },
      { kind: 'wait' },
    ],
    ['a plan is being made', { plan: { isDone: false }, running: { plan: 1 } }, { kind: 'wait' }],
    ['work is planned', { plan: toApply }, { kind: 'apply', work: WORK }],
    ['as much runs as may', { plan: toApply, running: { apply: 3 } }, { kind: 'wait' }],
    [
      'its activities have left work, and no signal has given the reason',
      { plan: { ...toApply, notBefore: NOW + 250 } },
      { kind: 'wait', until: NOW + 250 },
    ],
    ['it is suspended', { plan: toApply, suspended: true }, { kind: 'wait' }],
    ['what is stored of it is not what holds', { plan: toApply, isUnrecorded: true }, { kind: 'store-state' }],
    ['that is being stored', { plan: toApply, isUnrecorded: true, running: { store: 1 } }, { kind: 'apply' }],
    ['items wait', { pending: waiting }, { kind: 'wait', until: NOW + 500, reason: 'deadline of 1 pending item' }],
    ['a hint has come', { pending: { ...waiting, woken: true } }, { kind: 'check', indexes: [0, 1] }],
    [
      'a suspended batch has received dependenciesAvailable',
      { pending: { ...waiting, woken: true }, suspended: true },
      { kind: 'wait' },
    ],
    ['a hint has come during a check', { pending: { ...waiting, woken: true, isChecking: true } }, { kind: 'wait' }],
    [
      'another batch applies what a check found',
      { pending: { ...waiting, woken: true, checkNotBefore: NOW + 100 } },
      { kind: 'wait', until: NOW + 100 },
    ],
    [
      'a check has found items ready',
      { pending: { ...waiting, isChecking: true, nextReady: [1] }, plan: toApply },
      { kind: 'apply-pending', indexes: [1] },
    ],
    ['an item is due', { pending: due }, { kind: 'check', indexes: [0, 1] }],
    [
      'an item is due and a check that began before its deadline has not found it ready',
      { pending: { ...due, checkedAt: NOW - 501 } },
      { kind: 'check' },
    ],
    [
      'an item is due and a check that began after its deadline has not found it ready',
      { pending: { ...due, checkedAt: NOW - 500 } },
      { kind: 'expire', indexes: [0], asOf: NOW },
    ],
    ['an item of a suspended batch is due', { pending: due, suspended: true }, { kind: 'expire', indexes: [0] }],
    ['due items are being expired', { pending: { ...due, checkedAt: NOW }, running: { expire: 1 } }, { kind: 'wait' }],
    [
      'another batch applies the due items',
      { pending: { ...due, checkedAt: NOW, expireNotBefore: NOW + 500 } },
      { kind: 'wait', until: NOW + 500 },
    ],
    ['the history is long', { pending: waiting, isLong: true }, { kind: 'continue-as-new' }],
    ['the history is long and work runs', { plan: toApply, isLong: true, running: { apply: 1 } }, { kind: 'wait' }],
    ['the history is long and all is done', { isLong: true }, { kind: 'finish' }],
    [
      'its start time has not come, and a signal has woken it',
      { plan: toPlan, isNew: true, isUnrecorded: true, startAt: NOW + 1 },
      { kind: 'wait', until: NOW + 1 },
    ],
    ['its start time has come', { plan: toPlan, startAt: NOW }, { kind: 'plan', cursor: 0 }],
    ['it is cancelled before its start time', { plan: toPlan, startAt: NOW + 1, cancelled: true }, { kind: 'finish' }],
    [
      'many signals have come before its start time',
      { plan: toPlan, startAt: NOW + 1, isLong: true },
      { kind: 'continue-as-new' },
    ],
    ['it is cancelled', { plan: toApply, pending: waiting, cancelled: true }, { kind: 'finish' }],
    [
      'it is cancelled while work runs',
      { plan: toApply, cancelled: true, running: { apply: 1 } },
      { kind: 'store-cancellation' },
    ],
    [
      'it is cancelled, and that is stored',
      { plan: toApply, cancelled: true, isCancelStored: true, running: { apply: 1 } },
      { kind: 'wait' },
    ],
  ])('where %s', (_, change, step) => {
    expect(nextStep(situation(change), NOW)).toMatchObject(step);
  });

  test('a batch that is suspended, has to continue as new or runs as much as it may waits for running work, without a timer', () => {
    for (const change of [{ suspended: true }, { isLong: true }, { running: { apply: 3 } }]) {
      const step = nextStep(situation({ plan: toApply, ...change, running: { apply: 3 } }), NOW);
      expect(step).toEqual({ kind: 'wait', reason: expect.any(String) });
    }
  });
});
