import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiEnv } from '../../api/context.ts';

/** One route of the API: of the OpenAPI document, or of a façade that is not in it. */
export interface Route {
  readonly method: string;
  /** With parameters in braces. */
  readonly path: string;
  /** Names of its query parameters, and whether it takes a body, as the document says; absent where it does not say. */
  readonly query?: readonly string[];
  readonly hasBody?: boolean;
}

interface Documented {
  readonly parameters: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: object;
}

/** The Camunda façade, which its seed describes. */
const CAMUNDA: readonly Route[] = [
  'GET /engine-rest/version',
  'GET /engine-rest/engine',
  'POST /engine-rest/process-instance/delete',
  'GET /engine-rest/process-instance',
  'POST /engine-rest/process-instance',
  'GET /engine-rest/process-instance/count',
  'POST /engine-rest/process-instance/count',
  'GET /engine-rest/process-instance/{instanceId}',
  'GET /engine-rest/history/process-instance/{instanceId}',
  'GET /engine-rest/batch',
  'GET /engine-rest/batch/count',
  'GET /engine-rest/batch/statistics',
  'GET /engine-rest/batch/statistics/count',
  'GET /engine-rest/batch/{batchId}',
  'DELETE /engine-rest/batch/{batchId}',
  'PUT /engine-rest/batch/{batchId}/suspended',
  'PUT /engine-rest/job-definition/{batchId}/retries',
  'GET /engine-rest/history/batch',
  'GET /engine-rest/history/batch/count',
  'GET /engine-rest/history/batch/{batchId}',
  'DELETE /engine-rest/history/batch/{batchId}',
].map((line) => {
  const [method = '', path = ''] = line.split(' ');
  return { method, path };
});

/** Every route that answers about somebody's data. */
export async function everyRoute(app: OpenAPIHono<ApiEnv>): Promise<Route[]> {
  const document = (await (await app.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, Documented>>;
  };
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters, requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      query: parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
      hasBody: requestBody !== undefined,
    })),
  );
  return [...documented, ...CAMUNDA];
}

/** The path with its parameters filled in. */
export function fill(path: string, parameters: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? 'unknown'));
}
