import { expect, test } from 'vitest';
import { createApp, openApiDocument } from '../../../api/app.ts';
import type { Services } from '../../../api/http/context.ts';

/** The document itself and its page. */
const OF_THE_DOCUMENT = /^\/(docs|openapi\.json)(\/|$)/;

test('every route is in the OpenAPI document, the façades included, and nothing else is', () => {
  // routes are added before any service is needed
  const { routes } = createApp({} as Services);
  const added = routes
    .filter(({ method, path }) => method !== 'ALL' && !OF_THE_DOCUMENT.test(path))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:\w+/g, '{}')}`);
  const documented = Object.entries(openApiDocument().paths ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`),
  );
  expect(documented.length).toBeGreaterThan(40);
  expect([...documented].sort()).toEqual([...new Set(added)].sort());
});
