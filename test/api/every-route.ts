import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiEnv } from '../../api/http/context.ts';
import { TOKEN_SCHEME } from '../../api/http/define-route.ts';

/** One route of the API, from its OpenAPI document. */
export interface Route {
  readonly method: string;
  /** With parameters in braces. */
  readonly path: string;
  /** Names of its query parameters, and whether it takes a body, as the document says; absent if unknown ones are ignored. */
  readonly query?: readonly string[];
  readonly hasBody?: boolean;
  /** Its body is a stream, and not JSON. */
  readonly isStream?: boolean;
}

interface Documented {
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly parameters: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: { readonly content: object };
}

/** Reads its requests as a Camunda engine does: it ignores names that it does not know. */
const CAMUNDA = '/engine-rest/';

/** Every route that answers about data of a tenant or a platform: where tokens are configured, it requires one. */
export async function everyRoute(app: OpenAPIHono<ApiEnv>): Promise<Route[]> {
  const document = (await (await app.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, Documented>>;
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security }]) => security.some((scheme) => TOKEN_SCHEME in scheme))
      .map(([method, { parameters, requestBody }]) => ({
        method: method.toUpperCase(),
        // the id of a batch's jobs contains the id of the batch
        path: path.replace('{jobDefinitionId}', '{batchId}'),
        ...(!path.startsWith(CAMUNDA) && {
          query: parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
          hasBody: requestBody !== undefined,
          isStream: requestBody !== undefined && !('application/json' in requestBody.content),
        }),
      })),
  );
}

/** The path with its parameters filled in, and with the query that the route requires. */
export function urlOf({ method, path }: Route, parameters: Readonly<Record<string, string>>): string {
  const isStartOfImport = path === '/api/imports' && method === 'POST';
  const query = `?format=ndjson&schema=${parameters.schemaDefinitionNameOrId ?? 'unknown'}`;
  return `${fill(path, parameters)}${isStartOfImport ? query : ''}`;
}

/** The path with its parameters filled in. */
export function fill(path: string, parameters: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? 'unknown'));
}
