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
  /** Kept in the histories of what is ended. */
  readonly reason: string;
  /** Terminated at once; otherwise asked to cancel, and terminated after the grace. */
  readonly atOnce: boolean;
  readonly graceMs: number;
  /** Children live on. */
  readonly sparesChildren: boolean;
  /** Aborts waiting when the activity is to stop. */
  readonly signal: AbortSignal;
}

/** Children that are ended side by side. */
const CHILDREN_AT_ONCE = 20;

/** Looks at an execution for children before it is ended all the same: one that starts new ones for ever must end too. */
const MAX_CHECKS = 5;

/** gRPC status code of a second request to cancel. */
const ALREADY_EXISTS = 6;

/** Parent close policies under which a child does not survive its parent. */
const FATAL_POLICIES = new Set(['TERMINATE', 'REQUEST_CANCEL']);

/** Children that would not live on if their parent ended: the policy they were started with says so. */
export function doomedChildren(execution: DescribedExecution): string[] {
  return execution.children
    .filter((child) => FATAL_POLICIES.has(child.parentClosePolicy))
    .map((child) => child.workflowId);
}

/**
 * Ends an execution that runs, and its children before it, deepest first. Can be repeated: what has ended stays as it is, and
 * a second request to cancel changes nothing. Returns when it is closed.
 */
export async function endTree(client: Client, rules: EndingRules, root: DescribedExecution): Promise<void> {
  let current: DescribedExecution | null = root;
  for (
    let look = 0;
    look < MAX_CHECKS && !rules.sparesChildren && current !== null && current.children.length > 0;
    look++
  ) {
    await forEachConcurrently(current.children, CHILDREN_AT_ONCE, async ({ workflowId, runId }) => {
      const child = await describeExecution(client, workflowId, runId);
      if (child?.closeTime === null) await endTree(client, rules, child);
    });
    // As soon as its children are gone it may go its own way, so it is told at once and only then looked at again.
    if (rules.atOnce) return terminate(client, rules, current);
    await requestCancel(client, rules, current);
    current = await latestOfChain(client, current);
  }
  if (current !== null) await endChain(client, rules, current);
}

/** Ends one execution, whatever runs its chain goes through meanwhile. */
async function endChain(client: Client, rules: EndingRules, execution: DescribedExecution): Promise<void> {
  // A batch of ours ends its running activities first, and one of those may be waiting for this very batch.
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

/** The run of a chain that runs now; null where the chain has ended. */
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

/** What is gone, or asked already, needs nothing. */
async function unlessNotThere(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!hasStatus(error, NOT_FOUND, ALREADY_EXISTS)) throw error;
  }
}
