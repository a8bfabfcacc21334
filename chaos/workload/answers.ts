/** The API's answers as docs/api.md describes them, defined here again: the checker takes nothing from the service. */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [field: string]: Json;
}

export const TERMINAL_STATUSES: readonly string[] = ['success', 'partial_success', 'failed', 'cancelled'];
export const SETTLED_STATUSES: readonly string[] = ['succeeded', 'failed', 'expired', 'skipped', 'cancelled'];

export interface BatchAnswer {
  readonly batchId: string;
  readonly operation: string;
  readonly status: string;
  readonly suspended: boolean;
  readonly schemaDefinitionId: string | null;
  readonly progress: {
    readonly totalRecords: number;
    readonly processedRecords: number;
    readonly successfulRecords: number;
    readonly pendingRecords: number;
    readonly failedRecords: number;
    readonly successRate: number;
  };
  readonly counts: Readonly<Record<string, number>>;
  readonly actions: Readonly<Record<string, number>>;
  readonly options: JsonObject;
  readonly createdAt: string;
  readonly completedAt?: string;
  readonly errors?: { readonly summary: Readonly<Record<string, number>> };
  /** The import that it is a part of. */
  readonly importId?: string;
  readonly undoneBy?: string;
}

export interface ImportAnswer {
  readonly importId: string;
  readonly label?: string;
  readonly status: string;
  readonly suspended: boolean;
  readonly sealed: boolean;
  readonly brokenOff?: string;
  readonly rowsRead: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly actions: Readonly<Record<string, number>>;
}

/** A row of the results of an import. */
export interface ResultRow {
  readonly line: number;
  readonly status: string;
  /** As it was sent: JSON, or the text of what is none; cells of CSV. */
  readonly row: Json;
}

export interface ItemAnswer {
  readonly index: number;
  readonly externalId: string | null;
  readonly status: string;
  readonly action?: string;
  readonly errors?: readonly { readonly code: string; readonly message: string; readonly field?: string }[];
  readonly missingDependencies?: readonly { readonly schemaName: string; readonly externalId: string }[];
  readonly attempts: number;
}

export interface ResourceAnswer {
  readonly id: string;
  readonly schemaDefinitionId: string;
  readonly resourceExternalId: string;
  readonly data: JsonObject;
  readonly versionNumber: number;
  readonly updatedAt: string;
}

/** Equal JSON has equal text: fields in order of their names. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${fields
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`)
    .join()}}`;
}
