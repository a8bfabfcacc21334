import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { type ResourceLimits, Worker } from 'node:worker_threads';

/**
 * Starts a module as a thread. Sources run as TypeScript, for which a thread needs a loader of its own; a build runs as JavaScript.
 * @param module its URL without the extension, beside a caller whose URL is `caller`.
 */
export function startThread(module: string, caller: string, resourceLimits: ResourceLimits): Worker {
  const isSource = caller.endsWith('.ts');
  const file = new URL(`${module}.${isSource ? 'ts' : 'js'}`, caller);
  if (!isSource) return new Worker(file, { resourceLimits });
  const loader = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  ).href;
  const program = `import(${JSON.stringify(loader)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(file.href)});
  });`;
  return new Worker(program, { eval: true, resourceLimits });
}
