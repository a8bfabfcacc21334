import { accepts } from 'hono/accepts';
import { notFound } from '../http/api-error.ts';
import type { ApiContext } from '../http/context.ts';
import type { Api } from '../http/define-route.ts';
import type { DashboardFiles } from './files.ts';

const HTML = 'text/html';
const YEAR_S = 31_536_000;

/**
 * Everything comes from this service, and no script or style stands in the page: what a caller has stored can neither run nor send
 * anything, even if it were shown as HTML.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  ...['script', 'style', 'img', 'font', 'connect'].map((kind) => `${kind}-src 'self'`),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

/**
 * The dashboard: one page at `/`, whose own places are behind `#`, and its assets. A caller that does not prefer HTML gets the JSON 404
 * of every path at which there is nothing.
 */
export function dashboardRoutes(api: Api, { page, assets }: DashboardFiles): void {
  api.get('/', async (c, next) => {
    c.header('Vary', 'Accept');
    if (accepts(c, { header: 'Accept', supports: ['application/json', HTML], default: 'application/json' }) !== HTML)
      return next();
    c.header('Content-Security-Policy', CONTENT_SECURITY_POLICY);
    return send(c, page, 'no-cache');
  });
  api.get('/assets/:name', (c) => {
    const file = assets.get(c.req.path.slice(1));
    if (file === undefined) throw notFound(`there is nothing at ${c.req.path}`);
    return send(c, file, `public, max-age=${YEAR_S}, immutable`);
  });
}

function send(c: ApiContext, file: DashboardFiles['page'], caching: string): Response {
  const isGzip =
    accepts(c, { header: 'Accept-Encoding', supports: ['gzip', 'identity'], default: 'identity' }) === 'gzip';
  c.header('Cache-Control', caching);
  c.header('Content-Type', file.type);
  c.header('Vary', 'Accept, Accept-Encoding');
  if (isGzip) c.header('Content-Encoding', 'gzip');
  return c.body(isGzip ? file.gzipped : file.bytes);
}
