import { expect, test } from 'vitest';
import type { Plan, Work } from '../../workflows/messages.ts';
import { PlanProgress } from '../../workflows/plan-progress.ts';

const NOW = 100_000;
const NO_TALLY = { counts: {}, actions: {}, errorCodes: {} };
const items = (...indexes: number[]): Work => ({ kind: 'items', indexes });
const planOf = (stages: Work[][], rest: Partial<Plan> = {}): Plan => ({ tally: NO_TALLY, stages, ...rest });

/** A plan whose stages are made and have not begun. */
function planned(stages: Work[][], rest?: Partial<Plan>): PlanProgress {
  const plan = new PlanProgress(undefined);
  plan.beginPlan();
  plan.planned(planOf(stages, rest), NOW);
  return plan;
}

test('stages run one after the other: the next one begins when all work of the one before it is done', () => {
  const plan = planned([[items(0), items(1)], [items(2)]]);
  plan.begin();
  expect(plan.nextWork).toEqual(items(1));
  plan.begin();
  expect(plan.nextWork).toBeUndefined();
  expect(plan.applied(null, NOW)).toBe(false);
  expect(plan.nextWork).toBeUndefined();
  expect(plan.applied(null, NOW)).toBe(true);
  expect(plan.nextWork).toEqual(items(2));
  plan.begin();
  expect(plan.isDone).toBe(false);
  plan.applied(null, NOW);
  expect(plan.isDone).toBe(true);
});

test('work that a halted activity has left is the next work again, after a pause that doubles up to 10 s', () => {
  const plan = planned([[items(0, 1, 2)], [items(3)]]);
  const pauses: number[] = [];
  for (let halted = 0; halted < 8; halted++) {
    plan.begin();
    expect(plan.applied(items(1, 2), NOW)).toBe(false);
    expect(plan.nextWork).toEqual(items(1, 2));
    pauses.push(plan.notBefore - NOW);
  }
  expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
});

test('the signal with the reason why work was left ends the pause, and finished work resets it', () => {
  const plan = planned([[items(0), items(1)]]);
  plan.begin();
  plan.applied(items(0), NOW);
  plan.controlled();
  expect(plan.notBefore).toBe(0);
  plan.begin();
  plan.applied(null, NOW);
  plan.begin();
  plan.applied(items(1), NOW);
  expect(plan.notBefore).toBe(NOW + 250);
});

test('a plan that was not made because the batch is halted is made again from the same place, after a pause', () => {
  const plan = new PlanProgress(undefined);
  plan.beginPlan();
  expect(plan.planFrom).toBeUndefined();
  plan.planned(planOf([], { isLeft: true }), NOW);
  expect([plan.planFrom, plan.notBefore, plan.isDone]).toEqual([0, NOW + 250, false]);
});

test('an outdated plan begins nothing more, and is made again from its start when its running work has ended', () => {
  const plan = planned([[items(0), items(1), items(2)], [items(3)]], { next: 7, links: 'before' });
  plan.begin();
  plan.begin();
  plan.outdated();
  expect(plan.nextWork).toBeUndefined();
  expect(plan.applied(null, NOW)).toBe(false);
  expect(plan.planFrom).toBeUndefined();
  expect(plan.applied(items(1), NOW)).toBe(true);
  expect([plan.planFrom, plan.isOutdated, plan.isDone]).toEqual([0, true, false]);
  plan.beginPlan();
  plan.planned(planOf([[items(1)]], { links: 'after' }), NOW);
  expect([plan.isOutdated, plan.links, plan.nextWork]).toEqual([false, 'after', items(1)]);
});

test('the plan goes through continue-as-new: its remaining work, its position, and that it is outdated', () => {
  const left = planned([[items(0), items(1)], [items(2)]], { next: 5, links: 'x' });
  left.begin();
  left.applied(null, NOW);
  const next = new PlanProgress(JSON.parse(JSON.stringify(left.carry())));
  expect([next.nextWork, next.links, next.planFrom]).toEqual([items(1), 'x', undefined]);
  expect(next.carry()).toEqual(left.carry());
  const outdated = planned([[items(0)]]);
  outdated.begin();
  outdated.outdated();
  outdated.applied(null, NOW);
  expect(new PlanProgress(outdated.carry())).toMatchObject({ isOutdated: true, planFrom: 0, nextWork: undefined });
  expect(new PlanProgress({}).isDone).toBe(true);
});
