import { afterAll, beforeAll, expect, test } from 'vitest';
import { Drover } from '../../harness/drover.ts';

let drover: Drover;
beforeAll(async () => {
  drover = await Drover.start({ worker: false });
});
afterAll(() => drover.stop());

const headers = async (path: string): Promise<Headers> => (await drover.app.request(path)).headers;

test.each([
  '/api/batches',
  '/api/batches/nobody',
  '/openapi.json',
  '/engine-rest/batch',
  '/engine-rest/nothing',
  '/nowhere',
  '/healthz',
  '/readyz',
  '/metrics',
])('an answer is data and nothing else for a browser: %s', async (path) => {
  const answer = await headers(path);
  expect(answer.get('x-content-type-options')).toBe('nosniff');
  expect(answer.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
  expect(answer.get('cache-control')).toBe('no-store');
  expect(answer.get('referrer-policy')).toBe('no-referrer');
  expect(answer.get('cross-origin-resource-policy')).toBe('same-origin');
  expect(answer.get('x-powered-by')).toBeNull();
  expect(answer.get('access-control-allow-origin')).toBeNull();
});

test.each(['/docs', '/docs/swagger-ui-bundle.js', '/docs/swagger-ui.css', '/docs/start.js'])(
  'the documentation runs only scripts of the service, in no frame: %s',
  async (path) => {
    const answer = await headers(path);
    expect(answer.get('content-security-policy')).toBe(
      "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    expect(answer.get('x-content-type-options')).toBe('nosniff');
    expect(answer.get('x-frame-options')).toBe('DENY');
  },
);
