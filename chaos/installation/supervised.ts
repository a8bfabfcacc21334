import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from '../../embedded/processes.ts';

/** How soon a process that is not there is started again, in ms. */
const POLL_MS = 200;

/** A process that is started again whenever it has ended, as an operator's supervisor would. */
export class Supervised {
  readonly name: string;
  readonly #process: ServerProcess;
  #isHeldDown = false;
  #isOver = false;
  /** Ends that this run has not caused: a worker ends if it cannot reach its servers at its start. */
  ownEnds = 0;
  kills = 0;
  pauses = 0;
  readonly #watch: Promise<void>;

  constructor(name: string, process: ServerProcess) {
    this.name = name;
    this.#process = process;
    this.#watch = this.#keepUp();
  }

  get isUp(): boolean {
    return this.#process.pid !== null && !this.#isHeldDown;
  }

  /** kill -9, and `downMs` later up again, as soon as that can be. */
  async kill(downMs: number): Promise<void> {
    this.kills += 1;
    this.#isHeldDown = true;
    await this.#process.kill();
    await sleep(downMs);
    this.#isHeldDown = false;
  }

  /** Pauses it for so long (SIGSTOP), and lets it continue. */
  async pause(ms: number, stopped: AbortSignal): Promise<void> {
    const { pid } = this.#process;
    if (pid === null || this.#isHeldDown) return;
    this.pauses += 1;
    signalIfThere(pid, 'SIGSTOP');
    await sleep(ms, undefined, { signal: stopped }).catch(() => undefined);
    signalIfThere(pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#watch;
    await this.#process.stop();
  }

  async #keepUp(): Promise<void> {
    let isExpected = false;
    while (!this.#isOver) {
      await sleep(POLL_MS);
      if (this.#isHeldDown) isExpected = true;
      if (this.#isHeldDown || this.#isOver || this.#process.pid !== null) continue;
      if (!isExpected) this.ownEnds += 1;
      isExpected = false;
      // one that does not come up is tried again
      await this.#process.restart().catch(() => undefined);
    }
  }
}

function signalIfThere(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
