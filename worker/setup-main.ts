import { main } from './setup.ts';

await main();
