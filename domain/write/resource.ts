import { type Scope, scopeKey } from '../batch/scope.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [field: string]: JsonValue;
}

/**
 * Identity of a resource as one string, the `_id` of everything that is looked up by identity:
 * `platform/tenant/schemaDefinitionId/externalId`. The external id comes last and unescaped, so no other part can be forged.
 */
export type ResourceKey = string;

export function resourceKey(scope: Scope, schemaDefinitionId: string, externalId: string): ResourceKey {
  return `${scopeKey(scope)}/${schemaDefinitionId}/${externalId}`;
}

/** Splits a key into its parts. */
export function parseResourceKey(key: ResourceKey): { schemaDefinitionId: string; externalId: string } {
  const afterPlatform = key.indexOf('/') + 1;
  const afterTenant = key.indexOf('/', afterPlatform) + 1;
  const afterSchema = key.indexOf('/', afterTenant) + 1;
  return { schemaDefinitionId: key.slice(afterTenant, afterSchema - 1), externalId: key.slice(afterSchema) };
}

/** A resource as callers read it. */
export interface Resource {
  readonly id: string;
  readonly schemaDefinitionId: string;
  readonly resourceExternalId: string;
  readonly data: JsonObject;
  readonly versionNumber: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The item that changed it last; its batch may have been removed since. */
  readonly lastWrite?: { readonly batchId: string; readonly index: number };
}
