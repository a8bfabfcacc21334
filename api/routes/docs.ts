import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { secureHeaders } from 'hono/secure-headers';
import { type Api, TOKEN_SCHEME } from '../http/define-route.ts';
import { addLinks } from './operation-links.ts';

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

/** Version of the service and of its packages. */
export const VERSION = '0.1.0';

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'Drover',
    version: VERSION,
    description: 'Durable batches of typed, linked resources.',
    license: { name: 'MIT', identifier: 'MIT' },
    contact: { name: 'Whoever operates this service' },
  },
  servers: [{ url: '/', description: 'This service' }],
  tags: [
    { name: 'Resource batches', description: 'Requests that start a batch: upload, patch, delete' },
    { name: 'Batches', description: 'Their status, items and control' },
    { name: 'Imports', description: 'Files of any size, carried out as batches' },
    { name: 'Bulk operations', description: 'The same done with many batches at once' },
    { name: 'Webhooks', description: 'URLs that are told when batches and imports change' },
    { name: 'Resources', description: 'The data' },
    { name: 'Schema definitions', description: 'Its types; with tokens, for platform scope' },
    { name: 'Operation', description: 'For whoever operates the service' },
    { name: 'Camunda', description: "A façade: a part of Camunda 7's REST API, in its shapes" },
    { name: 'Extracta', description: "A façade: an endpoint of Extracta's API, in its shapes" },
  ],
};

/** The OpenAPI document of the routes that have been added to `api`. */
export function documentOf(api: Api) {
  const document = api.getOpenAPI31Document(DOCUMENT);
  addLinks((document.paths ?? {}) as Parameters<typeof addLinks>[0]);
  return document;
}

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
