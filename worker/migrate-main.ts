import { main } from './migrate.ts';

await main();
