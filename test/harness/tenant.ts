import {
  type Batch,
  DroverError,
  type Item,
  type PatchOptions,
  type Resource,
  type UploadOptions,
} from '@drover/client';
import type { Drover } from './drover.ts';

interface Uploaded {
  readonly batch: Batch;
  readonly items: readonly Item[];
  /** The action of each item, or the codes of its errors. */
  readonly outcomes: readonly string[];
}

let tenants = 0;

/** A tenant for one test, so that tests that share a Drover do not meet. It is accepted where a request takes its tenant from. */
export class Tenant {
  readonly tenant: string;
  readonly #drover: Drover;

  constructor(drover: Drover) {
    tenants += 1;
    this.tenant = `tenant ${tenants}`;
    this.#drover = drover;
  }

  upload(schema: string, resources: readonly object[], options: UploadOptions = {}): Promise<string> {
    return this.#drover.upload(schema, resources, options, this);
  }

  /** Uploads, and waits for the end of the batch. */
  async uploaded(schema: string, resources: readonly object[], options: UploadOptions = {}): Promise<Uploaded> {
    return this.#over(await this.upload(schema, resources, options));
  }

  /** Patches, and waits for the end of the batch. */
  async patched(schema: string, resources: readonly object[], options: PatchOptions = {}): Promise<Uploaded> {
    return this.#over(await this.#drover.patch(schema, resources, options, this));
  }

  async #over(id: string): Promise<Uploaded> {
    const batch = await this.ended(id);
    const items = await this.items(id);
    return {
      batch,
      items,
      outcomes: items.map((item) => item.errors?.map((error) => error.code).join(' ') ?? item.action ?? item.status),
    };
  }

  ended(batchId: string): Promise<Batch> {
    return this.#drover.ended(batchId, { tenant: this.tenant });
  }

  waiting(batchId: string): Promise<Batch> {
    return this.#drover.waiting(batchId, this);
  }

  /** The state of a batch as its workflow reports it, however long the answer takes. */
  now(batchId: string): Promise<Batch> {
    return this.#drover.until(batchId, (batch) => batch.source === 'workflow' || batch.completedAt !== undefined, this);
  }

  items(batchId: string): Promise<Item[]> {
    return this.#drover.items(batchId, this);
  }

  /** A resource as readers see it; null if it does not exist. */
  async stored(schema: string, externalId: string): Promise<Resource | null> {
    try {
      return await this.#drover.client(this).resources.get(schema, externalId);
    } catch (error) {
      if (error instanceof DroverError && error.status === 404) return null;
      throw error;
    }
  }
}
