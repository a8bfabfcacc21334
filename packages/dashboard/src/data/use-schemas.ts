import { DroverError, type SchemaDefinition } from '@drover/client';
import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import { useDrover } from '../session/drover-context.ts';

/** Schema definitions change seldom, in ms. */
const FRESH_MS = 30_000;

/** All definitions of the platform, by name. A token of a tenant may not see them: a 403. */
export function useSchemas(): UseQueryResult<SchemaDefinition[]> {
  const drover = useDrover();
  return useQuery({
    queryKey: ['schemas'],
    queryFn: async ({ signal }) =>
      (await drover.schemaDefinitions.list({ signal }).toArray()).sort((a, b) => a.name.localeCompare(b.name)),
    staleTime: FRESH_MS,
  });
}

export const isForbidden = (error: unknown): boolean => error instanceof DroverError && error.status === 403;

/** Their names; undefined if the token may not see them. */
export function useSchemaNames(): readonly string[] | undefined {
  const { data, error } = useSchemas();
  return isForbidden(error) ? undefined : (data ?? []).map(({ name }) => name);
}
