import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// whoever builds it, a test among them, gets React as it is for users: that for developers takes ten times as long for the same
if (process.argv.includes('build')) process.env.NODE_ENV = 'production';

/** Paths are relative, so that the page works below any path of a proxy. */
export default defineConfig({
  root: at('.'),
  base: './',
  // the source of the client, which needs no build
  resolve: { alias: { '@drover/client': at('../client/src/index.ts') } },
  build: {
    outDir: at('../../dist/dashboard'),
    emptyOutDir: true,
    target: 'es2023',
    // the content security policy allows no data: URLs
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `npx vite packages/dashboard` with a service on its usual port
  server: { proxy: { '^/(api|partner)/': 'http://127.0.0.1:8080' } },
});
