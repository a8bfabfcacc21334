import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Engine, eventually } from './engine/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start();
});
afterAll(() => engine.stop());

const history = async (id: string): Promise<Record<string, unknown>> => {
  const { body } = await engine.send('GET', `/history/process-instance/${id}`);
  return body as Record<string, unknown>;
};
const closeTime = async (id: string): Promise<number> => {
  const { closeTime: time } = await engine.client.workflow.getHandle(id).describe();
  return time?.getTime() ?? Number.NaN;
};

describe('ending', () => {
  test('a process instance given twice is one item; its cancellation is requested, with the reason kept in history', async () => {
    await engine.begin('sleeper', 'one');
    const id = await engine.delete({ processInstanceIds: ['one', 'one'], deleteReason: 'because' });
    const batch = await engine.drover.ended(id);
    expect(batch).toMatchObject({
      batchType: 'PROCESS_INSTANCE_DELETE',
      status: 'success',
      counts: { succeeded: 1 },
      actions: { deleted: 1 },
    });
    expect(await engine.status('one')).toBe('CANCELLED');
    expect((await engine.send('GET', '/process-instance/one')).status).toBe(404);
    expect(await history('one')).toMatchObject({ state: 'EXTERNALLY_TERMINATED', deleteReason: 'because' });
  });

  test('a run id names its execution', async () => {
    const { firstExecutionRunId } = (await engine.begin('sleeper', 'by-run')) as { firstExecutionRunId?: string };
    const id = await engine.delete({ processInstanceIds: [firstExecutionRunId] });
    expect((await engine.drover.ended(id)).counts.succeeded).toBe(1);
    expect(await engine.status('by-run')).toBe('CANCELLED');
  });

  test('skipCustomListeners terminates', async () => {
    await engine.begin('tidy', 'at-once', ['cancelled', 60_000]);
    await engine.drover.ended(
      await engine.delete({ processInstanceIds: ['at-once'], skipCustomListeners: true, deleteReason: 'now' }),
    );
    expect(await engine.status('at-once')).toBe('TERMINATED');
    expect(await history('at-once')).toMatchObject({ state: 'EXTERNALLY_TERMINATED', deleteReason: 'now' });
  });

  test('an instance that cleans up on cancellation has time for it, however it ends', async () => {
    await engine.begin('tidy', 'tidy-cancelled', ['cancelled', 300]);
    await engine.begin('tidy', 'tidy-completed', ['completed', 300]);
    const ids = ['tidy-cancelled', 'tidy-completed'];
    const batch = await engine.drover.ended(await engine.delete({ processInstanceIds: ids, deleteReason: 'clean up' }));
    expect(batch.counts.succeeded).toBe(2);
    expect(await engine.status('tidy-cancelled')).toBe('CANCELLED');
    expect(await engine.client.workflow.getHandle('tidy-completed').result()).toBe('cleaned up');
    for (const id of ids)
      expect(await history(id)).toMatchObject({ state: 'EXTERNALLY_TERMINATED', deleteReason: 'clean up' });
  });

  test('an instance that ignores cancellation is terminated after the grace period', async () => {
    await engine.begin('stubborn', 'stubborn');
    const started = Date.now();
    await engine.drover.ended(await engine.delete({ processInstanceIds: ['stubborn'], deleteReason: 'enough' }));
    expect(Date.now() - started).toBeGreaterThan(1_950);
    expect(await engine.status('stubborn')).toBe('TERMINATED');
    expect(await history('stubborn')).toMatchObject({ state: 'EXTERNALLY_TERMINATED', deleteReason: 'enough' });
  });

  test('the history says how an instance ended by itself', async () => {
    for (const end of ['completed', 'failed'] as const) {
      const handle = await engine.begin('brief', `brief-${end}`, [end]);
      await handle.result().catch(() => undefined);
    }
    expect(await history('brief-completed')).toMatchObject({ state: 'COMPLETED', deleteReason: null });
    expect(await history('brief-failed')).toMatchObject({ state: 'INTERNALLY_TERMINATED', deleteReason: null });
  });
});

describe('children', () => {
  test.each([true, false])('are ended first, deepest first (skipCustomListeners %s)', async (skipCustomListeners) => {
    const id = `family-${skipCustomListeners}`;
    await engine.begin('parent', id, [`${id}-child`, 'TERMINATE', 2]);
    const family = [`${id}-child`, `${id}-child-2`, id];
    await eventually(
      async () => (await engine.send('GET', `/process-instance/${family[0]}`)).status === 200,
      'a family',
    );
    const batch = await engine.drover.ended(
      await engine.delete({ processInstanceIds: [id], skipCustomListeners, deleteReason: 'all' }),
    );
    expect(batch.counts.succeeded).toBe(1);
    const times = await Promise.all(family.map(closeTime));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(await history(`${id}-child`)).toMatchObject({
      state: 'EXTERNALLY_TERMINATED',
      deleteReason: 'all',
      superProcessInstanceId: `${id}-child-2`,
      rootProcessInstanceId: id,
    });
  });

  test('continue with skipSubprocesses', async () => {
    await engine.begin('parent', 'leaving', ['staying', 'ABANDON']);
    await eventually(async () => (await engine.send('GET', '/process-instance/staying')).status === 200, 'a child');
    const id = await engine.delete({
      processInstanceIds: ['leaving'],
      skipSubprocesses: true,
      skipCustomListeners: true,
    });
    expect((await engine.drover.ended(id)).counts.succeeded).toBe(1);
    expect(await engine.status('leaving')).toBe('TERMINATED');
    expect(await history('staying')).toMatchObject({ state: 'ACTIVE', superProcessInstanceId: 'leaving' });
  });

  test('that could not continue prevent that their parent is ended', async () => {
    await engine.begin('parent', 'bound', ['bound-child', 'TERMINATE']);
    await eventually(async () => (await engine.send('GET', '/process-instance/bound-child')).status === 200, 'a child');
    const id = await engine.delete({ processInstanceIds: ['bound'], skipSubprocesses: true });
    expect((await engine.drover.ended(id)).status).toBe('failed');
    const [item] = await engine.drover.items(id);
    expect(item?.errors?.[0]?.message).toContain('bound-child');
    expect(await engine.status('bound')).toBe('RUNNING');
  });

  test('named together with their parents are ended once, and all items succeed', async () => {
    const families = Array.from({ length: 5 }, (_, n) => `both-${n}`);
    for (const id of families) await engine.begin('parent', id, [`${id}-child`]);
    for (const id of families) {
      await eventually(
        async () => (await engine.send('GET', `/process-instance/${id}-child`)).status === 200,
        'a child',
      );
    }
    const ids = families.flatMap((id) => [`${id}-child`, id]);
    const batch = await engine.drover.ended(await engine.delete({ processInstanceIds: ids }));
    expect(batch.counts).toMatchObject({ succeeded: 10, failed: 0 });
  });
});

describe('an instance that does not exist', () => {
  test('fails its item, or is skipped if failIfNotExists is false', async () => {
    const ids = ['nobody', 'brief-completed'];
    const failing = await engine.drover.ended(await engine.delete({ processInstanceIds: ids }));
    expect(failing).toMatchObject({ status: 'failed', counts: { failed: 2 }, errors: { summary: { not_found: 2 } } });
    const skipping = await engine.drover.ended(
      await engine.delete({ processInstanceIds: ids, failIfNotExists: false }),
    );
    expect(skipping).toMatchObject({ status: 'success', counts: { skipped: 2 } });
  });

  test('is also what executions of other tenants, schedules, and the batch itself count as', async () => {
    await engine.begin('sleeper', 'of-a', [], { DroverTenant: ['a'] });
    await engine.begin('sleeper', 'of-b', [], { DroverTenant: ['b'] });
    const headers = { 'reach-tenant-id': 'a' };
    const id = await engine.delete({ processInstanceIds: ['of-a', 'of-b', 'temporal-sys-scheduler:x'] }, headers);
    const batch = await engine.drover.ended(id, { tenant: 'a' });
    expect(batch.counts).toMatchObject({ succeeded: 1, failed: 2 });
    expect(await engine.status('of-b')).toBe('RUNNING');
    expect((await engine.send('GET', '/process-instance/of-b', undefined, headers)).status).toBe(404);
    expect((await engine.send('GET', '/process-instance/of-b')).body).toMatchObject({ tenantId: 'b' });
    expect((await engine.send('GET', `/batch/${id}`)).status).toBe(404);
  });

  test('is also what an execution counts as that was started after the request', async () => {
    await engine.drover.stopWorker();
    const id = await engine.delete({ processInstanceIds: ['late'] });
    await sleep(1_100);
    await engine.begin('sleeper', 'late');
    await engine.drover.startWorker();
    expect((await engine.drover.ended(id)).counts.failed).toBe(1);
    expect(await engine.status('late')).toBe('RUNNING');
  });
});
