import type { ResourceKey } from '../write/resource.ts';

/**
 * Key of a schema definition that does not exist yet, under which items that refer to its resources wait for it: no tenant has
 * an empty platform, so it cannot be confused with a resource.
 */
export function unboundSchemaKey(platform: string, target: string): ResourceKey {
  return `//${encodeURIComponent(platform)}/${target.toLowerCase()}`;
}

/** The schema definition, by name or id in lower case, that such a key means; null for the key of a resource. */
export function unboundTarget(key: ResourceKey): string | null {
  return key.startsWith('//') ? key.slice(key.lastIndexOf('/') + 1) : null;
}
