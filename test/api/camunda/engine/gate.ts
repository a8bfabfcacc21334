import type { Checkpoint } from '../../../../activities/activity-context.ts';
import type { Drover } from '../../../harness/drover.ts';
import { eventually } from './engine.ts';

/** Holds activities at a checkpoint, so that a test can inspect a state between two steps. */
export class Gate {
  readonly #held: (() => void)[] = [];
  #at: Checkpoint | undefined;
  #passes = 0;

  constructor(drover: Drover) {
    drover.atCheckpoint((at) => this.#come(at));
  }

  /** From now on, lets `passes` activities pass a checkpoint and holds the others there. */
  hold(at: Checkpoint, passes = 0): void {
    this.#at = at;
    this.#passes = passes;
  }

  /** Lets so many more pass. */
  pass(passes: number): void {
    this.#passes += passes;
    while (this.#passes > 0 && this.#held.length > 0) {
      this.#passes -= 1;
      this.#held.shift()?.();
    }
  }

  /** Releases all activities, and holds no more. */
  open(): void {
    this.#at = undefined;
    for (const go of this.#held.splice(0)) go();
  }

  /** Waits until so many are held. */
  async holds(count: number): Promise<void> {
    await eventually(async () => this.#held.length >= count, `${count} activities held at ${this.#at}`);
  }

  async #come(at: Checkpoint): Promise<void> {
    if (at !== this.#at) return;
    if (this.#passes > 0) this.#passes -= 1;
    else await new Promise<void>((resolve) => this.#held.push(resolve));
  }
}
