#!/usr/bin/env node
import { run } from './run.ts';

const code = await run(process.argv.slice(2));
// a stream of a terminal or standard input may still be open
process.exit(code ?? 0);
