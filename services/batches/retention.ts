import type { Client } from '@temporalio/client';

const known = new WeakMap<Client, Promise<number | null>>();

/** How long the namespace keeps closed executions, in ms; null if it does not say. Requested once. */
export function readRetention(client: Client): Promise<number | null> {
  const earlier = known.get(client);
  if (earlier) return earlier;
  const asked = ask(client);
  known.set(client, asked);
  asked.catch(() => known.delete(client));
  return asked;
}

async function ask(client: Client): Promise<number | null> {
  const { config } = await client.workflowService.describeNamespace({ namespace: client.options.namespace });
  const seconds = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0);
  return seconds > 0 ? seconds * 1000 : null;
}
