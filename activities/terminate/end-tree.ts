import type { Client } from '@temporalio/client';
import { forEachConcurrently } from '../../domain/collections/for-each-concurrently.ts';
import { identityOf, waitUntilClosed } from '../../services/executions/execution-history.ts';
import {
  type DescribedExecution,
  describeExecution,
  hasStatus,
  NOT_FOUND,
} from '../../services/executions/executions.ts';
import { BATCH_WORKFLOW_TYPE } from '../../workflows/messages.ts';

/** How the executions of one batch are ended. */
export interface EndingRules {
  readonly batchId: string;
  /** Kept in the histories of the ended executions. */
  readonly reason: string;
  /** Whether they are terminated at once; otherwise their cancellation is requested, and they are terminated after the grace period. */
  readonly atOnce: boolean;
  readonly graceMs: number;
  /** Whether children continue. */
  readonly sparesChildren: boolean;
  /** Aborts waiting when the activity has to stop. */
  readonly signal: AbortSignal;
}

/** Number of children that are ended at a time. */
const CHILDREN_AT_ONCE = 20;

/** How often an execution is checked for children before it is ended all the same: an execution that starts new ones for ever must end too. */
const MAX_CHECKS = 5;

/** gRPC status code of a second cancellation request. */
const ALREADY_EXISTS = 6;

/** Parent close policies under which a child does not survive its parent. */
const FATAL_POLICIES = new Set(['TERMINATE', 'REQUEST_CANCEL']);

/** Children that would not continue if their parent ended, according to the policy with which they were started. */
export function doomedChildren(execution: DescribedExecution): string[] {
  return execution.children
    .filter((child) => FATAL_POLICIES.has(child.parentClosePolicy))
    .map((child) => child.workflowId);
}

/**
 * Ends a running execution, and its children before it, deepest first. Can be repeated: an ended execution is not changed, and
 * a second cancellation request has no effect. Returns when it is closed.
 */
export async function endTree(client: Client, rules: EndingRules, root: DescribedExecution): Promise<void> {
  let current: DescribedExecution | null = root;
  for (
    let checks = 0;
    checks < MAX_CHECKS && !rules.sparesChildren && current !== null && current.children.length > 0;
    checks++
  ) {
    await forEachConcurrently(current.children, CHILDREN_AT_ONCE, async ({ workflowId, runId }) => {
      const child = await describeExecution(client, workflowId, runId);
      if (child?.closeTime === null) await endTree(client, rules, child);
    });
    // Once its children have ended it may continue in any way, so its end is requested at once, and only then it is checked again.
    if (rules.atOnce) return terminate(client, rules, current);
    await requestCancel(client, rules, current);
    current = await latestOfChain(client, current);
  }
  if (current !== null) await endChain(client, rules, current);
}

/** Ends one execution, whatever runs its chain continues in meanwhile. */
async function endChain(client: Client, rules: EndingRules, execution: DescribedExecution): Promise<void> {
  // A Drover batch ends its running activities first, and one of those may be waiting for this very batch.
  const isBatch = execution.workflowType === BATCH_WORKFLOW_TYPE;
  const until = Date.now() + rules.graceMs;
  let current: DescribedExecution | null = execution;
  while (current !== null && !rules.atOnce) {
    await requestCancel(client, rules, current);
    if (isBatch) return;
    if (!(await waitUntilClosed(client, current, until, rules.signal))) break;
    current = await latestOfChain(client, current);
  }
  if (current !== null) await terminate(client, rules, current);
}

/** The running run of a chain; null if the chain has ended. */
async function latestOfChain(client: Client, execution: DescribedExecution): Promise<DescribedExecution | null> {
  const latest = await describeExecution(client, execution.workflowId);
  return latest?.closeTime === null && latest.firstRunId === execution.firstRunId ? latest : null;
}

async function requestCancel(
  client: Client,
  rules: EndingRules,
  { workflowId, runId, firstRunId }: DescribedExecution,
): Promise<void> {
  await unlessNotThere(
    client.workflowService.requestCancelWorkflowExecution({
      namespace: client.options.namespace,
      workflowExecution: { workflowId },
      firstExecutionRunId: firstRunId,
      identity: identityOf(rules.batchId),
      requestId: `${rules.batchId}/${runId}`,
      reason: rules.reason,
    }),
  );
}

async function terminate(
  client: Client,
  rules: EndingRules,
  { workflowId, firstRunId }: DescribedExecution,
): Promise<void> {
  await unlessNotThere(
    client.workflowService.terminateWorkflowExecution({
      namespace: client.options.namespace,
      workflowExecution: { workflowId },
      firstExecutionRunId: firstRunId,
      identity: identityOf(rules.batchId),
      reason: rules.reason,
    }),
  );
}

/** An execution that has ended, or whose cancellation was requested already, needs no request. */
async function unlessNotThere(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!hasStatus(error, NOT_FOUND, ALREADY_EXISTS)) throw error;
  }
}
