import type { BatchView } from '../../services/view-batch.ts';

/** As much of an HTTP client as the demo needs: what any caller could write. */
export class DroverClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async define(definition: object): Promise<void> {
    await this.#send('POST', '/partner/schema-definitions', definition);
  }

  /** @returns the id of the accepted batch. */
  async upload(schema: string, resources: readonly object[], dependencyWaitTimeout: number): Promise<string> {
    const path = `/api/resources/${schema}/batch?dependencyWaitTimeout=${dependencyWaitTimeout}`;
    return ((await this.#send('POST', path, { resources })) as { batchId: string }).batchId;
  }

  async batch(batchId: string): Promise<BatchView> {
    return (await this.#send('GET', `/api/batches/${batchId}`)) as BatchView;
  }

  async #send(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(this.#url + path, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as { message: string; data: unknown; errors?: string[] };
    if (!response.ok)
      throw new Error(`${method} ${path}: ${response.status} ${answer.message} ${answer.errors?.join('; ') ?? ''}`);
    return answer.data;
  }
}
