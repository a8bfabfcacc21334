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

/** Runs a batch to its end: `nextStep` decides each step, and the steps' activities run concurrently. */
export class BatchRun {
  readonly #input: BatchInput;
  readonly #progress: BatchProgress;
  readonly #activities;
  /** The part of the input that all activities have in common. */
  readonly #id: { readonly batchId: string; readonly run: number; readonly keepsLeft: true };
  /** What activities that apply items need to read their pages at once. */
  readonly #pages: Pick<BatchInput, 'pageSize'>;
  #shown: string;
  /** The failure of a step in the workflow's own code: a bug, which fails the workflow task. */
  #bug: { readonly error: unknown } | undefined;
  /** The end of a batch that one activity has run. */
  #finished: BatchSummary | undefined;

  constructor(input: BatchInput, progress: BatchProgress) {
    this.#input = input;
    this.#progress = progress;
    this.#activities = batchActivities(input, progress.running);
    this.#id = { batchId: input.batchId, run: input.run, keepsLeft: true };
    this.#pages = input.pageSize === undefined ? {} : { pageSize: input.pageSize };
    // as it was started
    this.#shown = input.carried === undefined ? 'queued' : '';
  }

  async toCompletion(): Promise<BatchSummary> {
    for (;;) {
      if (this.#bug !== undefined) throw this.#bug.error;
      const step = this.#next();
      this.#show(step);
      switch (step.kind) {
        case 'run-small':
          this.#runSmall();
          break;
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

  #runSmall(): void {
    const { total, pageSize = total, ofImport } = this.#input;
    const { suspended, cancelled } = this.#progress.state;
    const halted = (suspended || cancelled) && { isHalted: true as const };
    this.#progress.beginPlan();
    this.#begin('plan', async () => {
      const running = this.#activities.runSmall({
        ...this.#id,
        total,
        pageSize,
        asOf: Date.now(),
        ...halted,
        ...(ofImport && { ofImport }),
      });
      const made = await this.#orNull('running the batch failed because of a bug', running);
      this.#progress.ranSmall(made, Date.now());
      this.#finished = made?.summary;
    });
  }

  #plan(cursor: number): void {
    const { plan } = this.#progress;
    const again = plan.isOutdated ? { isAgain: true as const } : {};
    const { isNew } = this.#progress;
    this.#progress.beginPlan();
    this.#begin('plan', async () => {
      const made = await this.#orNull(
        'planning failed because of a bug',
        this.#activities.plan({ ...this.#id, cursor, ...again }, isNew),
      );
      this.#progress.planned(made, Date.now());
    });
  }

  #apply({ work }: Extract<NextStep, { kind: 'apply' }>): void {
    const { plan } = this.#progress;
    const links = plan.links === undefined ? {} : { links: plan.links };
    plan.begin();
    this.#begin('apply', async () => {
      const result = await this.#orNull<Parameters<BatchProgress['applied']>[1]>(
        'applying items failed because of a bug',
        work.kind === 'step'
          ? this.#activities.deleteStep({ ...this.#id, step: work.step }, work.items)
          : this.#activities.applyItems({ ...this.#id, ...this.#pages, indexes: work.indexes, ...links }),
      );
      this.#progress.applied(work, result, Date.now());
    });
  }

  #applyPending(indexes: readonly number[]): void {
    this.#progress.beginReady();
    this.#begin('apply', async () => {
      const applying = this.#activities.applyItems({ ...this.#id, ...this.#pages, indexes, requeuesBlocked: true });
      this.#progress.appliedPending(
        indexes,
        await this.#orNull('applying pending items failed because of a bug', applying),
        Date.now(),
      );
    });
  }

  #check(indexes: readonly number[]): void {
    this.#progress.beginCheck(Date.now());
    this.#begin('check', async () => {
      const checking = this.#activities.check({ ...this.#id, indexes });
      this.#progress.checked(
        await this.#orNull('checking pending items failed because of a bug', checking),
        Date.now(),
      );
    });
  }

  #expire({ indexes, asOf }: Extract<NextStep, { kind: 'expire' }>): void {
    this.#begin('expire', async () => {
      const ends = this.#progress.state.isWaitEnded && { endsWait: true as const };
      const expiring = this.#activities.expireItems({ ...this.#id, indexes, asOf, ...ends });
      this.#progress.expired(
        indexes,
        await this.#orNull('expiring items failed because of a bug', expiring),
        Date.now(),
      );
    });
  }

  /** Stores the state, for readers that do not query the workflow. */
  #storeState(): void {
    this.#progress.beginStore();
    const { status, suspended } = this.#progress.state.summary();
    const { asked } = this.#progress.state;
    const { report } = this.#progress;
    const { ofImport } = this.#input;
    this.#begin('store', async () => {
      const state = {
        scope: this.#input.scope,
        status: status === 'waiting' ? status : ('processing' as const),
        suspended,
        asked,
        ...(report && ofImport && { report: { ...report, ...ofImport } }),
      };
      await this.#orNull(
        'storing the state failed because of a bug',
        this.#activities.record({ ...this.#id, ...state }),
      );
    });
  }

  /** Stores that a program, or an operator in the Temporal UI, has cancelled the batch, so that running activities stop. */
  #storeCancellation(): void {
    const { state } = this.#progress;
    const { suspended, asked } = state;
    state.isCancelStored = true;
    this.#begin('store', async () => {
      const stored = { status: 'processing' as const, suspended, asked, cancelled: true as const };
      await this.#orNull(
        'storing the cancellation failed because of a bug',
        this.#activities.record({ ...this.#id, ...stored }),
      );
    });
  }

  /** Begins a step, which runs concurrently with others. It counts as running until its result is reported. */
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

  /** @returns null if the activity has failed for good, which is a bug. @throws any other error. */
  async #orNull<T>(what: string, activity: Promise<T>): Promise<T | null> {
    try {
      return await activity;
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      log.error(what, { batchId: this.#id.batchId, cause: error.cause?.message });
      return null;
    }
  }

  /** Waits until another step is next. */
  async #wait({ until, reason }: Wait): Promise<void> {
    const isOver = (): boolean => {
      if (this.#bug !== undefined) return true;
      const step = this.#next();
      return step.kind !== 'wait' || step.until !== until;
    };
    if (until === undefined) await condition(isOver);
    else await condition(isOver, until - Date.now(), { summary: reason });
    if (this.#input.version !== undefined) await activationProcessed();
  }

  async #finish(): Promise<BatchSummary> {
    const { state } = this.#progress;
    const summary = this.#finished ?? (await this.#finishRun());
    state.finish(summary);
    this.#show();
    return summary;
  }

  #finishRun(): Promise<BatchSummary> {
    const { operation, run, ofImport, scope } = this.#input;
    const { state } = this.#progress;
    const { cancelled, cascaded } = state;
    // for deletes and retries, the stored outcomes say more than the workflow knows
    const succeeded = isWrite(operation) && run === 1 ? state.succeeded : undefined;
    return this.#activities.finish({
      ...this.#id,
      scope,
      cancelled,
      cascaded,
      ...(succeeded && { succeeded }),
      ...(ofImport && { ofImport }),
    });
  }

  async #continueAsNew(): Promise<never> {
    const carried = this.#progress.carry();
    return continueAsNew<(input: BatchInput) => Promise<BatchSummary>>({ ...this.#input, carried });
  }

  /** Updates current details and, unless a local activity is running or is called next (`nextStep`), search attributes. */
  #show(step?: NextStep): void {
    const summary = this.#progress.state.summary();
    setCurrentDetails(describeBatch(this.#input, summary));
    const isLast = step === undefined;
    const isBeforeSleep = step?.kind === 'wait' && this.#progress.running.local === 0;
    if (!isLast && !isBeforeSleep && this.#input.version !== undefined) return;
    const status = summary.suspended ? SUSPENDED_STATUS : summary.status;
    if (status === this.#shown) return;
    this.#shown = status;
    upsertSearchAttributes([{ key: STATUS_ATTRIBUTE, value: status }]);
  }
}

/**
 * Waits until everything that came in one activation is taken in. A signal wakes the workflow at once, while the result of an activity that
 * came with it is passed on from promise to promise: what the workflow does next must not depend on which of them is known first (`nextStep`).
 * The SDK evaluates conditions again once no promise is left to run.
 */
async function activationProcessed(): Promise<void> {
  let isProcessed = false;
  await condition(() => {
    const was = isProcessed;
    isProcessed = true;
    return was;
  });
}
