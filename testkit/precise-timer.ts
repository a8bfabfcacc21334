import { Worker } from 'node:worker_threads';

/** What its thread runs. It is at rest but for the moment at which it wakes the other one. */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const state = new Int32Array(workerData.state);
const due = new Float64Array(workerData.due);
const now = () => Number(process.hrtime.bigint()) / 1e6;
for (let seen = 0; ; ) {
  Atomics.wait(state, 0, seen);
  // read before the message: whatever is armed after it differs
  seen = Atomics.load(state, 0);
  // a wait of no time would still take as long as the scheduler needs
  for (let left = due[0] - now(); left > 0; left = due[0] - now()) Atomics.wait(state, 1, 0, left);
  parentPort.postMessage(null);
}
`;

/** Monotonic time in ms, the same in all threads. */
export const preciseNow = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Calls back at a time that may lie between two ms, which Node's own timers cannot. */
export class PreciseTimer {
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  readonly #due = new Float64Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;
  #isArmed = false;

  constructor(onDue: () => void) {
    this.#worker = new Worker(THREAD, {
      eval: true,
      execArgv: [],
      workerData: { state: this.#state.buffer, due: this.#due.buffer },
    });
    this.#worker.on('message', () => {
      this.#isArmed = false;
      onDue();
    });
    this.#worker.unref();
  }

  get isArmed(): boolean {
    return this.#isArmed;
  }

  /** @param at as `preciseNow` counts. @throws where it is armed already: it has one time only. */
  arm(at: number): void {
    if (this.#isArmed) throw new Error('the timer is armed already');
    this.#isArmed = true;
    this.#due[0] = at;
    Atomics.add(this.#state, 0, 1);
    Atomics.notify(this.#state, 0);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
