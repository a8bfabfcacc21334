/**
 * Who a stored thing belongs to. Every key, query, cursor and workflow takes one: invariant 6 (tenants never mix).
 * Platforms own schema definitions; tenants own resources and batches.
 */
export interface Scope {
  readonly platform: string;
  readonly tenant: string;
}

/** The embedded platform: it operates the installation, and to it belongs what names no platform. */
export const DEFAULT_PLATFORM = 'default';

/** Longest platform or tenant name, in characters. */
export const MAX_SCOPE_NAME = 128;

/** Platform and tenant are free text from a token or a header, so they are escaped: no name can forge another's key. */
export function scopeKey(scope: Scope): string {
  return `${encodeURIComponent(scope.platform)}/${encodeURIComponent(scope.tenant)}`;
}
