import type { components, operations } from './openapi.ts';

type Schemas = components['schemas'];
type QueryOf<O extends keyof operations> = NonNullable<operations[O]['parameters']['query']>;

/** A batch with its progress. */
export type Batch = Schemas['BatchData'];
export type BatchStatus = Batch['status'];
/** An entry of a batch with its outcome. */
export type Item = Schemas['Item'];
export type ItemStatus = Item['status'];
/** A stored resource; `data` holds its fields. */
export type Resource = Schemas['Resource'];
/** The same, with resources that it refers to. */
export type ResourceWithIncluded = Schemas['ResourceWithIncluded'];
/** A resource that refers to another. */
export type Referrer = Schemas['Referrer'];
/** A type of resources. */
export type SchemaDefinition = Schemas['SchemaDefinition'];
export type NewSchemaDefinition = WithSchema<Schemas['NewSchemaDefinition']>;
export type SchemaDefinitionVersion = WithSchema<Schemas['SchemaDefinitionVersion']>;
/** `schema` is any JSON Schema of type object: TypeScript takes `{ type: 'object' }` in a variable for one of type string. */
type WithSchema<D extends { schema: unknown }> = Omit<D, 'schema'> & { readonly schema: object };
/** The answer to a request that starts a batch. */
export type AcceptedBatch = Schemas['Accepted']['data'];
/** The effects that a delete would have. */
export type DeletionPreview = Schemas['DeletionPreview']['data'];

/** A webhook, without its secret. */
export type Webhook = Schemas['WebhookData'];
export type WebhookWithSecret = Schemas['WebhookWithSecret']['data'];
export type NewWebhook = Schemas['NewWebhook'];
export type WebhookChanges = Schemas['WebhookChanges'];
/** What was sent to a webhook, and its last answer. */
export type Delivery = Schemas['DeliveryData'];
/** `status` of the deliveries (all); `limit` is the size of a page, 1 to 100 (100). */
export type DeliveryListOptions = Readonly<Omit<QueryOf<'listDeliveries'>, 'cursor'>> & CallOptions;
/** Versions and workers of a service. */
export type Installation = Schemas['InstallationData'];

/** The outcome that each item of an upload or patch would have. */
export type WritePreview = Schemas['WritePreview']['data'];
/** One of them. */
export type PreviewedItem = Schemas['PreviewedItem'];
/** The outcome that each item of an undo would have; of more than 1000 the first. */
export type UndoPreview = Schemas['UndoPreview']['data'];
/** What an import would make of the first rows of a file. */
export type ImportPreview = Schemas['ImportPreview']['data'];

/** Which batches: at least one field. A field of several values is an array, or a text with commas. */
export type BatchFilter = Readonly<Schemas['BatchFilter']>;
/** How far something is that is done to many batches. */
export type BulkOperation = Schemas['BulkOperationData'];
/** What is done to them. */
export type BulkVerb = Exclude<BulkOperation['operation'], 'undo'>;
/** How many batches fit a filter. */
export type BulkPreview = Schemas['BulkPreview']['data'];
/** What the undo of an import would do. */
export type ImportUndoPreview = Schemas['ImportUndoPreview']['data'];

/** A resource as it is sent: any JSON object, or a `JsonText`. A request takes 1 to 1000 of them, and at most 16 MiB. */
export type NewResource = object;

/** Options of every call. */
export interface CallOptions {
  /** Aborts the call, which throws its reason. */
  readonly signal?: AbortSignal;
}

/** Options of a call that reads one resource. */
export interface ReadOptions extends CallOptions {
  /** Reference fields: the resources that they refer to are read too. */
  readonly include?: readonly string[];
}

/** Options of a call that starts a batch. */
export interface StartOptions extends CallOptions {
  /**
   * Up to 255 characters: the same key and request gives the same batch, for 24 hours. Default: a random one for each call, so
   * that a repetition inside the call starts no second batch. null: no key; then a request is not repeated after a lost answer or a 503.
   */
  readonly idempotencyKey?: string | null;
}

/** `onconflict` (`upsert`), `ignoreUnknownFields` (false), `dependencyWaitTimeout` in seconds (0: no item waits). */
export type UploadOptions = Readonly<Omit<QueryOf<'uploadResources'>, 'dryRun'>> & StartOptions;
/** `ignoreUnknownFields` (false). */
export type PatchOptions = Readonly<Omit<QueryOf<'patchResources'>, 'dryRun'>> & StartOptions;
/** What is said of the batch as a whole: `label`, `priority`, `startAt`. */
export type DeleteOptions = Readonly<QueryOf<'deleteResourcesByPost'>> & StartOptions;
/** The resources to delete: either `externalIds`, or `deleteAll`. With `cascade` the referring resources are deleted too. */
export type Deletion = Readonly<Omit<Schemas['BatchDelete'], 'dryRun' | 'externalIds'>> & {
  readonly externalIds?: readonly string[];
};
/** `format` (`ndjson`); with `envelope` id, version and dates are in it too (false). */
export interface ExportOptions extends CallOptions {
  readonly format?: ContentFormat;
  readonly envelope?: boolean;
}

/** The formats of files. */
export type ContentFormat = 'ndjson' | 'csv';
/** Their media types. */
export const MEDIA_TYPES = { ndjson: 'application/x-ndjson', csv: 'text/csv' } as const satisfies Record<
  ContentFormat,
  string
>;

/** An import with its progress. */
export type Import = Schemas['ImportData'];
/** A part of the content of an import that is stored. */
export type ImportPart = Schemas['ImportPartList']['data']['results'][number];
/** Options of an import; `schema` is that of its rows. The service's documentation explains each. */
export type ImportOptions = Readonly<Omit<QueryOf<'startImport'>, 'columns' | 'dryRun' | 'format'>> & {
  /** Of CSV: the fields of columns that have other names. */
  readonly columns?: Readonly<Record<string, string>>;
};
/** `status`, `label`; `limit` is the size of a page, 1 to 100 (100). */
export type ImportListOptions = Readonly<Omit<QueryOf<'listImports'>, 'cursor'>> & CallOptions;
/** Rows with this status only. */
export type ImportResultOptions = Readonly<QueryOf<'listImportResults'>> & CallOptions;

/** Filters and order of a list of batches; `limit` is the size of a page, 1 to 100 (100). */
export type BatchListOptions = Readonly<Omit<QueryOf<'listBatches'>, 'cursor'>> & CallOptions;
/** `status` of the items (all); `limit` is the size of a page, 1 to 1000 (1000). */
export type ItemListOptions = Readonly<Omit<QueryOf<'listBatchItems'>, 'cursor'>> & CallOptions;
/** `limit` is the size of a page, 1 to 100 (100). */
export type ListOptions = Readonly<Omit<QueryOf<'listSchemaDefinitions'>, 'cursor'>> & CallOptions;

export type { components, operations, paths } from './openapi.ts';
