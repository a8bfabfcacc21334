#!/usr/bin/env node
// The command with the service in it: `drover dev` starts what `npm start` starts, compiled.
import { run } from '@drover/cli';

const code = await run(process.argv.slice(2), { startService: () => import('drover/dev') });
if (code !== null) process.exit(code);
