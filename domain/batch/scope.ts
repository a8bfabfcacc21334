import { MAX_SCOPE_NAME } from '../limits.ts';

/**
 * The owner of a stored object. Every key, query, cursor and workflow has one: invariant 6 (tenants never mix).
 * Platforms own schema definitions; tenants own resources and batches.
 */
export interface Scope {
  readonly platform: string;
  readonly tenant: string;
}

/** The embedded platform: it operates the installation, and owns executions that name no platform. */
export const DEFAULT_PLATFORM = 'default';

/** Whether a text can be the name of a platform or tenant: control characters and lone surrogates are not allowed. */
export const isScopeName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_SCOPE_NAME && !/\p{Cc}|\p{Surrogate}/u.test(value);

/**
 * The scope of batches that act on the whole namespace: that of the operator. Its tenant is empty, which no name is (`isScopeName`), so
 * no token and no header can name it: what belongs to the operator belongs to no tenant (invariant 6).
 */
export const NAMESPACE_SCOPE: Scope = { platform: DEFAULT_PLATFORM, tenant: '' };

/** Platform and tenant are free text from a token or a header, so they are escaped: no name can forge another's key. */
export function scopeKey(scope: Scope): string {
  return `${encodeURIComponent(scope.platform)}/${encodeURIComponent(scope.tenant)}`;
}
