import { afterAll, beforeAll, expect, test } from 'vitest';
import { Engine } from './engine/engine.ts';
import { Gate } from './engine/gate.ts';

/** Items of an activity that run at once, and items of an activity that has as many more. */
const AT_WORK = 20;
const ITEMS = 40;
/** Longer than activities rely on the state of their batch that they have read, in ms. */
const NEXT_CHECK_MS = 300;

let engine: Engine;
let gate: Gate;
beforeAll(async () => {
  engine = await Engine.start({ environment: { CAMUNDA_INVOCATIONS_PER_BATCH_JOB: String(ITEMS) } });
  gate = new Gate(engine.drover);
});
afterAll(() => engine.stop());

/** Terminations, half of which have begun when the request is answered. */
async function haltInTheMiddle(prefix: string, verb: 'suspend' | 'cancel'): Promise<string> {
  const instances = Array.from({ length: ITEMS }, (_, n) => `${prefix}-${n}`);
  await engine.beginMany('sleeper', instances);
  gate.hold('target-stored');
  const id = await engine.delete({ processInstanceIds: instances });
  await gate.holds(AT_WORK);
  expect((await engine.drover.request('POST', `/api/batches/${id}/${verb}`)).status).toBe(200);
  for (const answered = Date.now(); Date.now() - answered < NEXT_CHECK_MS; ) await engine.drover.batch(id);
  gate.open();
  return id;
}

const running = async (prefix: string): Promise<number> => {
  const states = await Promise.all(Array.from({ length: ITEMS }, (_, n) => engine.status(`${prefix}-${n}`)));
  return states.filter((state) => state === 'RUNNING').length;
};

test('terminations that are suspended in the middle finish the items that they have begun, keep the rest, and continue when they are resumed', async () => {
  const id = await haltInTheMiddle('halved', 'suspend');
  const halted = await engine.drover.until(id, ({ counts }) => counts.succeeded === AT_WORK);
  expect(halted).toMatchObject({ suspended: true, counts: { queued: ITEMS - AT_WORK, failed: 0 } });
  expect(await running('halved')).toBe(ITEMS - AT_WORK);
  expect((await engine.drover.request('POST', `/api/batches/${id}/resume`)).status).toBe(200);
  expect(await engine.drover.ended(id)).toMatchObject({ status: 'success', counts: { succeeded: ITEMS } });
  expect(await running('halved')).toBe(0);
});

test('terminations that are cancelled in the middle finish the items that they have begun, and no more', async () => {
  const id = await haltInTheMiddle('cut', 'cancel');
  expect(await engine.drover.ended(id)).toMatchObject({
    status: 'cancelled',
    counts: { succeeded: AT_WORK, cancelled: ITEMS - AT_WORK },
  });
  expect(await running('cut')).toBe(ITEMS - AT_WORK);
});
