import process from 'node:process';
import { smoke } from './smoke.mjs';

const [url, tenant] = process.argv.slice(2);
console.log(await smoke(url, tenant));
