import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { secureHeaders } from 'hono/secure-headers';
import { type Api, TOKEN_SCHEME } from '../http/define-route.ts';

const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Drover API</title><link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="api"></div><script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body>
</html>
`;
// without `validatorUrl: null` it sends the document to an external validator
const START = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#api', validatorUrl: null });\n`;

const TOKEN = [
  'A JSON Web Token with the claims `platform` (its name), `scope` and `tenant` (its name). `scope` is a list of words separated',
  'by spaces; one of them is `tenant` or `platform`. A token of scope `tenant` gives access to its own tenant only. One of scope',
  '`platform` gives access to schema definitions and every tenant of its platform: the header `reach-tenant-id` (or `reach-tenant-id*`) names the tenant, else',
  'the claim `tenant`, else it is `default`. Without configured tokens none is needed, and only loopback is served.',
].join(' ');

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'Drover',
    version: '0.1.0',
    description: 'Durable batches of typed, linked resources.',
    license: { name: 'MIT' },
  },
};

/** The OpenAPI document of the routes that have been added to `api`. */
export const documentOf = (api: Api) => api.getOpenAPI31Document(DOCUMENT);

/** `/openapi.json`, and `/docs`: a page that loads nothing from other hosts. */
export function docsRoutes(api: Api): void {
  api.openAPIRegistry.registerComponent('securitySchemes', TOKEN_SCHEME, {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: TOKEN,
  });
  api.get('/openapi.json', (c) => c.json(documentOf(api)));
  api.use(
    '/docs/*',
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        styleSrc: ["'self'", "'unsafe-inline'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
      },
      xFrameOptions: 'DENY',
    }),
  );
  api.get('/docs', (c) => c.html(PAGE));
  api.get('/docs/start.js', (c) => c.body(START, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }));
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  for (const [name, type] of Object.entries(ASSETS)) {
    api.get(`/docs/${name}`, async (c) =>
      c.body(await readFile(join(folder, name), 'utf8'), 200, { 'Content-Type': type }),
    );
  }
}
