import { v4 as uuidv4 } from 'uuid';
import type { Ids } from '../recorded/compare.ts';
import { type Engine, eventually } from './engine.ts';
import { Gate } from './gate.ts';

/** Instances of the recorded engine; here they have the same ids. */
const FIRST = ['ee101ba5-e7f6-11f1-9d3b-02fc00000001', 'ee14af89-e7f6-11f1-9d3b-02fc00000001'];
const DUPLICATES = ['10abaaa3-e7f7-11f1-9d3b-02fc00000001', '10ad3147-e7f7-11f1-9d3b-02fc00000001'];
const SPARED = 'ddf9f49c-e7f7-11f1-9d3b-02fc00000001';
const LAST = '6d226716-e7f9-11f1-815c-02fc00000001';

/** Batches of the recorded engine. */
const BATCHES = {
  first: 'ee4423fe-e7f6-11f1-9d3b-02fc00000001',
  duplicates: '10afc95c-e7f7-11f1-9d3b-02fc00000001',
  failing: 'dd5c7bd6-e7f7-11f1-9d3b-02fc00000001',
  suspended: 'ddc48cad-e7f7-11f1-9d3b-02fc00000001',
  dismissed: 'ddfb2d21-e7f7-11f1-9d3b-02fc00000001',
  dismissedToo: 'de6f24a9-e7f7-11f1-9d3b-02fc00000001',
  removed: 'de76c5d1-e7f7-11f1-9d3b-02fc00000001',
  many: 'dfeb3d5f-e7f7-11f1-9d3b-02fc00000001',
} as const;

/** Produces the state in which each recording was made. */
export class Scene {
  readonly #engine: Engine;
  readonly #ids: Ids;
  readonly #gate: Gate;

  constructor(engine: Engine, ids: Ids) {
    this.#engine = engine;
    this.#ids = ids;
    this.#gate = new Gate(engine.drover);
  }

  /** The steps that happened before each recording, if there were any. */
  async before(name: string): Promise<void> {
    await this.#steps[name]?.();
  }

  /** Releases everything that is held and waits for its end; batches that no recording needs any more are not run. */
  async end(): Promise<void> {
    await this.#expect(204, 'DELETE', `/batch/${this.#live('many')}`);
    await this.#openAndEnd('many');
  }

  readonly #steps: Readonly<Record<string, () => Promise<void>>> = {
    version: () => this.#beginAll('simple', FIRST),
    'batch.get.seeded': async () => {
      this.#gate.hold('target-stored');
      await this.#engine.drover.startWorker();
      await this.#gate.holds(2);
    },
    'batch.statistics.oneDone': async () => {
      this.#gate.pass(1);
      await this.#completed('first', 1);
    },
    'batch.statistics.allDoneBeforeMonitor': async () => {
      this.#gate.open();
      this.#gate.hold('outcomes-stored');
      await this.#gate.holds(1);
      await this.#completed('first', 2);
    },
    'batch.get.afterMonitor': () => this.#openAndEnd('first'),
    'delete.ids.duplicates': async () => {
      await this.#beginAll('simple', DUPLICATES);
      this.#gate.hold('outcomes-stored', 1);
    },
    'delete.ids.duplicates.statistics': () => this.#completed('duplicates', 2),
    'delete.ids.duplicates.batch.get.after': () => this.#openAndEnd('duplicates'),
    'delete.failing.statistics': async () => {
      const good = uuidv4();
      await this.#beginAll('simple', [good]);
      // An id that may be the id of a run is looked up for a while: so the job that fails comes last.
      this.#gate.hold('deleted', 1);
      await this.#delete('failing', [good, uuidv4()]);
      await this.#gate.holds(1);
      await this.#completed('failing', 1);
    },
    'delete.failing.statistics #3': () => this.#openAndEnd('failing'),
    'delete.failing.statistics.afterRetries': async () => {
      this.#gate.hold('deleted');
      const jobs = this.#ids.live('dd5c7bd9-e7f7-11f1-9d3b-02fc00000001');
      await this.#expect(204, 'PUT', `/job-definition/${jobs}/retries`, { retries: 1 });
      await this.#gate.holds(1);
    },
    'history.batch.get.afterDelete.cascade.false': async () => {
      await this.#expect(204, 'DELETE', `/batch/${this.#live('failing')}?cascade=false`);
      await this.#openAndEnd('failing');
      await this.#engine.drover.stopWorker();
    },
    'batch.suspended.put.true': async () => {
      const instances = [uuidv4(), uuidv4()];
      await this.#beginAll('simple', instances);
      await this.#delete('suspended', instances);
    },
    'batch.list.all': async () => {
      this.#gate.hold('target-stored');
      await this.#engine.drover.startWorker();
      await this.#gate.holds(2);
      await this.#beginAll('simple', [SPARED]);
      await this.#deleteIdly('dismissed', [SPARED]);
    },
    'history.batch.get.afterDelete.cascade.bad': () =>
      this.#expect(204, 'DELETE', `/batch/${this.#live('dismissed')}?cascade=bad`),
    'history.batch.get.afterDelete.cascade.absent': async () => {
      await this.#deleteIdly('dismissedToo', ['nobody']);
      await this.#expect(204, 'DELETE', `/batch/${this.#live('dismissedToo')}`);
    },
    'batch.delete.cascade.true': () => this.#deleteIdly('removed', ['nobody']),
    'history.batch.get.afterHistoryDelete': async () => {
      await this.#expect(204, 'DELETE', `/batch/${this.#live('suspended')}`);
      await this.#openAndEnd('suspended');
      await this.#expect(204, 'DELETE', `/history/batch/${this.#live('suspended')}`);
    },
    'delete.250': async () => {
      await this.#engine.beginMany(
        'other',
        Array.from({ length: 250 }, (_, n) => `other-${n}`),
      );
      this.#gate.hold('target-stored');
    },
    'delete.250.statistics': () => this.#gate.holds(1),
    'delete.250.statistics #2': () => this.#nextSeed(100),
    'delete.250.statistics #3': () => this.#nextSeed(200),
    'delete.ids.existing.acceptAny': () => this.#beginAll('simple', [LAST]),
  };

  async #beginAll(type: string, workflowIds: readonly string[]): Promise<void> {
    await Promise.all(workflowIds.map((id) => this.#engine.begin(type, id)));
  }

  async #delete(batch: keyof typeof BATCHES, processInstanceIds: readonly string[]): Promise<void> {
    this.#ids.learn(BATCHES[batch], await this.#engine.delete({ processInstanceIds }));
  }

  /** The same, but accepted on a task queue that no worker polls: nothing of the batch is planned. */
  async #deleteIdly(batch: keyof typeof BATCHES, processInstanceIds: readonly string[]): Promise<void> {
    const idle = await this.#engine.idle();
    const { body } = await idle.request('POST', '/engine-rest/process-instance/delete', {
      body: { processInstanceIds },
    });
    this.#ids.learn(BATCHES[batch], (body as unknown as { id: string }).id);
  }

  /** Lets another seed of 100 jobs pass, and waits until the next one is planned. */
  async #nextSeed(completed: number): Promise<void> {
    this.#gate.pass(100);
    await this.#completed('many', completed);
    await this.#gate.holds(1);
  }

  #live(batch: keyof typeof BATCHES): string {
    const id = this.#ids.live(BATCHES[batch]);
    if (id === undefined) throw new Error(`there is no batch ${batch} yet`);
    return id;
  }

  async #completed(batch: keyof typeof BATCHES, count: number): Promise<void> {
    await eventually(async () => {
      const { body } = await this.#engine.send('GET', `/batch/statistics?batchId=${this.#live(batch)}`);
      const [statistics] = body as [{ completedJobs: number }?];
      return statistics?.completedJobs === count;
    }, `${count} completed jobs of ${batch}`);
  }

  async #openAndEnd(batch: keyof typeof BATCHES): Promise<void> {
    this.#gate.open();
    await this.#engine.drover.ended(this.#live(batch), { timeoutMs: 90_000 });
  }

  async #expect(status: number, method: string, path: string, body?: object): Promise<void> {
    const answer = await this.#engine.send(method, path, body);
    if (answer.status !== status) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
  }
}
