#!/usr/bin/env node
import { run } from './run.ts';

/** The package with the service, which is beside this one if `drover` was installed. */
const SERVICE = 'drover/dev';

const code = await run(process.argv.slice(2), isThere(SERVICE) ? { startService: () => import(SERVICE) } : {});
// a stream of a terminal or standard input may still be open
if (code !== null) process.exit(code);

function isThere(module: string): boolean {
  try {
    import.meta.resolve(module);
    return true;
  } catch {
    return false;
  }
}
