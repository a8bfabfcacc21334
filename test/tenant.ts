import type { JsonObject } from '../domain/resource.ts';
import type { ItemView } from '../services/list-items.ts';
import type { BatchView } from '../services/view-batch.ts';
import type { Drover } from './harness.ts';

/** A stored resource, as readers see it. */
export interface StoredResource {
  readonly data: JsonObject;
  readonly versionNumber: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface Uploaded {
  readonly batch: BatchView;
  readonly items: readonly ItemView[];
  /** Of each item its action, or the codes of its errors. */
  readonly outcomes: readonly string[];
}

let tenants = 0;

/** A tenant of its own, so that tests that share a Drover do not meet. Can be given where a request takes its tenant from. */
export class Tenant {
  readonly tenant: string;
  readonly #drover: Drover;

  constructor(drover: Drover) {
    tenants += 1;
    this.tenant = `tenant ${tenants}`;
    this.#drover = drover;
  }

  upload(schema: string, resources: readonly object[], query = ''): Promise<string> {
    return this.#drover.upload(schema, resources, query, this);
  }

  /** Uploads, and waits for the end. */
  async uploaded(schema: string, resources: readonly object[], query = ''): Promise<Uploaded> {
    return this.#over(await this.upload(schema, resources, query));
  }

  /** Patches, and waits for the end. */
  async patched(schema: string, resources: readonly object[], query = ''): Promise<Uploaded> {
    return this.#over(await this.#drover.patch(schema, resources, query, this));
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

  ended(batchId: string): Promise<BatchView> {
    return this.#drover.ended(batchId, { tenant: this.tenant });
  }

  waiting(batchId: string): Promise<BatchView> {
    return this.#drover.waiting(batchId, this);
  }

  /** A batch as its own workflow sees it, however long that takes to answer. */
  now(batchId: string): Promise<BatchView> {
    return this.#drover.until(batchId, (batch) => batch.source === 'workflow' || batch.completedAt !== undefined, this);
  }

  items(batchId: string): Promise<ItemView[]> {
    return this.#drover.items(batchId, this);
  }

  /** A resource as readers see it; null where there is none. */
  async stored(schema: string, externalId: string): Promise<StoredResource | null> {
    const path = `/api/resources/${schema}/${encodeURIComponent(externalId)}`;
    const { status, body } = await this.#drover.request<StoredResource>('GET', path, this);
    return status === 404 ? null : body.data;
  }
}
