import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  ActivityFailure,
  condition,
  continueAsNew,
  log,
  setCurrentDetails,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { type BatchSummary, isWrite } from '../domain/batch/batch.ts';
import { SUSPENDED_STATUS } from '../domain/batch/search-attributes.ts';
import { batchActivities } from './batch-activities.ts';
import type { BatchProgress } from './batch-progress.ts';
import { describeBatch } from './describe-batch.ts';
import { type BatchInput, SEARCH_ATTRIBUTES } from './messages.ts';
import { type NextStep, nextStep } from './next-step.ts';

type Wait = Extract<NextStep, { kind: 'wait' }>;
type Running = keyof BatchProgress['running'];

const STATUS_ATTRIBUTE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.status, SearchAttributeType.KEYWORD);

/** Runs a batch to its end: one step after the other, each decided by `nextStep`, activities side by side. */
export class BatchRun {
  readonly #input: BatchInput;
  readonly #progress: BatchProgress;
  readonly #activities;
  /** What every activity is told. */
  readonly #id: { readonly batchId: string; readonly run: number; readonly keepsLeft: true };
  #shown: string;
  /** A step has failed in the workflow itself: a bug, which fails the workflow task. */
  #bug: { readonly error: unknown } | undefined;

  constructor(input: BatchInput, progress: BatchProgress) {
    this.#input = input;
    this.#progress = progress;
    this.#activities = batchActivities(input);
    this.#id = { batchId: input.batchId, run: input.run, keepsLeft: true };
    // as it was started
    this.#shown = input.carried === undefined ? 'queued' : '';
  }

  async toItsEnd(): Promise<BatchSummary> {
    for (;;) {
      if (this.#bug !== undefined) throw this.#bug.error;
      const step = this.#next();
      this.#show();
      switch (step.kind) {
        case 'plan':
          this.#plan(step.cursor);
          break;
        case 'apply':
          this.#apply(step);
          break;
        case 'apply-pending':
          this.#applyPending(step.indexes);
          break;
        case 'check':
          this.#check(step.indexes);
          break;
        case 'expire':
          this.#expire(step);
          break;
        case 'store-state':
          this.#storeState();
          break;
        case 'store-cancellation':
          this.#storeCancellation();
          break;
        case 'wait':
          await this.#wait(step);
          break;
        case 'continue-as-new':
          return this.#continueAsNew();
        case 'finish':
          return this.#finish();
        default:
          step satisfies never;
      }
    }
  }

  #next(): NextStep {
    const isLong = workflowInfo().continueAsNewSuggested || this.#progress.state.hasManySignals;
    return nextStep(this.#progress.situation(isLong), Date.now());
  }

  #plan(cursor: number): void {
    const { plan } = this.#progress;
    const again = plan.isOutdated ? { isAgain: true as const } : {};
    plan.beginPlan();
    this.#begin('plan', async () => {
      const made = await this.#orNull('planning failed', this.#activities.plan({ ...this.#id, cursor, ...again }));
      this.#progress.planned(made, Date.now());
    });
  }

  #apply({ work }: Extract<NextStep, { kind: 'apply' }>): void {
    const { plan } = this.#progress;
    const links = plan.links === undefined ? {} : { links: plan.links };
    plan.begin();
    this.#begin('apply', async () => {
      const result = await this.#orNull<Parameters<BatchProgress['applied']>[1]>(
        'work failed',
        work.kind === 'step'
          ? this.#activities.deleteStep({ ...this.#id, step: work.step }, work.items)
          : this.#activities.applyItems({ ...this.#id, indexes: work.indexes, ...links }),
      );
      this.#progress.applied(work, result, Date.now());
    });
  }

  #applyPending(indexes: readonly number[]): void {
    this.#progress.beginReady();
    this.#begin('apply', async () => {
      const applying = this.#activities.applyItems({ ...this.#id, indexes, requeuesBlocked: true });
      this.#progress.appliedPending(indexes, await this.#orNull('waiting failed', applying), Date.now());
    });
  }

  #check(indexes: readonly number[]): void {
    this.#progress.beginCheck(Date.now());
    this.#begin('check', async () => {
      const checking = this.#activities.check({ ...this.#id, indexes });
      this.#progress.checked(await this.#orNull('waiting failed', checking), Date.now());
    });
  }

  #expire({ indexes, asOf }: Extract<NextStep, { kind: 'expire' }>): void {
    this.#begin('expire', async () => {
      const expiring = this.#activities.expireItems({ ...this.#id, indexes, asOf });
      this.#progress.expired(indexes, await this.#orNull('waiting failed', expiring), Date.now());
    });
  }

  /** What programs that do not ask the workflow can know of it: stored when it changes. */
  #storeState(): void {
    this.#progress.beginStore();
    const { status, suspended } = this.#progress.state.summary();
    const { asked } = this.#progress.state;
    this.#begin('store', async () => {
      const state = { status: status === 'waiting' ? status : ('processing' as const), suspended, asked };
      await this.#orNull('its state could not be stored', this.#activities.record({ ...this.#id, ...state }));
    });
  }

  /** A program, or an operator in the Temporal UI, has cancelled the batch: stored for activities that are at work. */
  #storeCancellation(): void {
    const { state } = this.#progress;
    const { suspended, asked } = state;
    state.isCancelStored = true;
    this.#begin('store', async () => {
      const stored = { status: 'processing' as const, suspended, asked, cancelled: true as const };
      await this.#orNull('its cancellation could not be stored', this.#activities.record({ ...this.#id, ...stored }));
    });
  }

  /** Begins a step, which goes on beside others; its result is taken in before it ends. */
  #begin(kind: Running, step: () => Promise<void>): void {
    const { running } = this.#progress;
    running[kind] += 1;
    step()
      .catch((error: unknown) => {
        this.#bug ??= { error };
      })
      .finally(() => {
        running[kind] -= 1;
      });
  }

  /** Null where the activity has failed for good, a bug of ours. @throws what is no failure of an activity. */
  async #orNull<T>(what: string, activity: Promise<T>): Promise<T | null> {
    try {
      return await activity;
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      log.error(what, { batchId: this.#id.batchId, cause: error.cause?.message });
      return null;
    }
  }

  /** Until the next step is another one. */
  async #wait({ until, reason }: Wait): Promise<void> {
    const isOver = (): boolean => {
      if (this.#bug !== undefined) return true;
      const step = this.#next();
      return step.kind !== 'wait' || step.until !== until;
    };
    if (until === undefined) await condition(isOver);
    else await condition(isOver, until - Date.now(), { summary: reason });
  }

  async #finish(): Promise<BatchSummary> {
    const { operation, run } = this.#input;
    const { state } = this.#progress;
    const { cancelled, cascaded } = state;
    // of a delete, and of the runs before a retry, what is stored has more to tell
    const succeeded = isWrite(operation) && run === 1 ? state.succeeded : undefined;
    const summary = await this.#activities.finish({
      ...this.#id,
      cancelled,
      cascaded,
      ...(succeeded && { succeeded }),
    });
    state.finish(summary);
    this.#show();
    return summary;
  }

  async #continueAsNew(): Promise<never> {
    const carried = this.#progress.carry();
    return continueAsNew<(input: BatchInput) => Promise<BatchSummary>>({ ...this.#input, carried });
  }

  /** Tells the Temporal UI. */
  #show(): void {
    const summary = this.#progress.state.summary();
    setCurrentDetails(describeBatch(this.#input, summary));
    const status = summary.suspended ? SUSPENDED_STATUS : summary.status;
    if (status === this.#shown) return;
    this.#shown = status;
    upsertSearchAttributes([{ key: STATUS_ATTRIBUTE, value: status }]);
  }
}
