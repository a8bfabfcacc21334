import { main } from './integrity.ts';

await main();
