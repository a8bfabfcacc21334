import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Engine, eventually } from './engine/engine.ts';
import { Gate } from './engine/gate.ts';

let engine: Engine;
let gate: Gate;
beforeAll(async () => {
  engine = await Engine.start();
  gate = new Gate(engine.drover);
});
afterAll(() => engine.stop());

type Json = Record<string, unknown>;
const batch = async (id: string): Promise<Json> => (await engine.send('GET', `/batch/${id}`)).body as Json;
const statistics = async (id: string): Promise<Json> =>
  ((await engine.send('GET', `/batch/statistics?batchId=${id}`)).body as Json[])[0] ?? {};

describe('a batch of the façade', () => {
  test('is suspended and resumed, which is visible in /api/batches and in process instances too', async () => {
    await engine.begin('sleeper', 'held');
    gate.hold('target-stored');
    const id = await engine.delete({ processInstanceIds: ['held'] });
    await gate.holds(1);
    expect((await engine.send('PUT', `/batch/${id}/suspended`, { suspended: true })).status).toBe(204);
    expect(await batch(id)).toMatchObject({ suspended: true });
    expect(await engine.drover.batch(id)).toMatchObject({ suspended: true, batchType: 'PROCESS_INSTANCE_DELETE' });
    const suspended = async (query: string): Promise<string[]> => {
      const { body } = await engine.send('GET', `/process-instance?${query}`);
      return (body as { id: string }[]).map((instance) => instance.id);
    };
    await eventually(async () => (await suspended('suspended=true')).includes(`batch-${id}`), 'a suspended batch');
    expect(await suspended('active=true')).not.toContain(`batch-${id}`);
    expect((await engine.send('GET', `/batch?suspended=true`)).body).toMatchObject([{ id }]);
    expect((await engine.send('PUT', `/batch/${id}/suspended`, {})).status).toBe(204);
    expect(await batch(id)).toMatchObject({ suspended: false });
    gate.open();
    await engine.drover.ended(id);
    expect((await engine.send('GET', `/batch/${id}`)).status).toBe(404);
    const { body } = await engine.send('GET', `/history/batch/${id}`);
    expect((body as Json).endTime).not.toBeNull();
    expect((await engine.send('PUT', `/batch/${id}/suspended`, { suspended: true })).body).toEqual({
      type: 'InvalidRequestException',
      message: `Unable to suspend batch with id '${id}'`,
      code: 0,
    });
  });

  test('with failed jobs stays until the failed jobs are retried', async () => {
    await engine.begin('parent', 'refused', ['refused-child', 'TERMINATE']);
    await eventually(
      async () => (await engine.send('GET', '/process-instance/refused-child')).status === 200,
      'a child',
    );
    const id = await engine.delete({ processInstanceIds: ['refused', 'refused-child'], skipSubprocesses: true });
    await engine.drover.until(id, ({ status }) => status === 'partial_success');
    expect(await statistics(id)).toMatchObject({ totalJobs: 2, remainingJobs: 1, completedJobs: 1, failedJobs: 1 });
    expect((await engine.send('GET', `/history/batch/${id}`)).body).toMatchObject({ endTime: null });
    const { batchJobDefinitionId } = await batch(id);
    // Meanwhile the parent has failed because this batch has ended its child.
    await eventually(async () => (await engine.status('refused')) === 'FAILED', 'the end of a parent');
    const answer = await engine.send('PUT', `/job-definition/${batchJobDefinitionId}/retries`, { retries: 1 });
    expect(answer).toMatchObject({ status: 204, body: null });
    expect((await engine.drover.ended(id)).counts).toMatchObject({ succeeded: 2, failed: 0 });
    expect((await engine.send('GET', `/batch/${id}`)).status).toBe(404);
    expect(((await engine.send('GET', `/history/batch/${id}`)).body as Json).endTime).not.toBeNull();
  });

  test('with failed jobs can be deleted, from its history too', async () => {
    const id = await engine.delete({ processInstanceIds: ['nobody'] });
    await engine.drover.ended(id);
    expect((await engine.send('GET', '/batch/statistics?withFailures=true')).body).toMatchObject([
      { id, failedJobs: 1 },
    ]);
    expect((await engine.send('DELETE', `/history/batch/${id}`)).body).toMatchObject({
      message: `Unable to delete historic batch with id '${id}'`,
    });
    expect((await engine.send('DELETE', `/batch/${id}`)).status).toBe(204);
    expect((await engine.send('GET', `/batch/${id}`)).status).toBe(404);
    expect((await engine.send('DELETE', `/batch/${id}`)).body).toMatchObject({
      message: `Unable to delete batch with id '${id}'`,
    });
    expect((await engine.send('DELETE', `/history/batch/${id}`)).status).toBe(204);
    expect((await engine.send('GET', `/history/batch/${id}`)).status).toBe(404);
    expect((await engine.drover.request('GET', `/api/batches/${id}`)).status).toBe(404);
  });

  test('deleted while it runs does not touch instances that it has not begun to end', async () => {
    const instances = Array.from({ length: 30 }, (_, n) => `spared-${n}`);
    await Promise.all(instances.map((id) => engine.begin('sleeper', id)));
    gate.hold('target-stored');
    const id = await engine.delete({ processInstanceIds: instances });
    await gate.holds(4);
    expect((await engine.send('DELETE', `/batch/${id}`)).status).toBe(204);
    expect((await engine.send('GET', `/batch/${id}`)).status).toBe(404);
    gate.open();
    const { status, counts } = await engine.drover.ended(id);
    expect(status).toBe('cancelled');
    const running = await Promise.all(instances.map(async (instance) => (await engine.status(instance)) === 'RUNNING'));
    expect(running.filter(Boolean)).toHaveLength(counts.cancelled);
    expect(counts.cancelled).toBeGreaterThan(0);
  });
});
