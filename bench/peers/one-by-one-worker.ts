import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Customer } from '../data/customers.ts';
import { type Outcome, openPeerStore, runItems } from './run-items.ts';

const store = await openPeerStore();
Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '' }),
  taskQueue: process.env.QUEUE ?? '',
  workflowsPath: fileURLToPath(new URL('one-by-one-workflow.js', import.meta.url)),
  activities: {
    uploadOne: async (tenant: string, item: Customer): Promise<Outcome | undefined> =>
      (await runItems(store, tenant, [item]))[0],
    doNothing: async () => undefined,
  },
});
process.on('disconnect', () => process.exit(0));
const running = worker.run();
process.send?.({ ready: true });
await running;
