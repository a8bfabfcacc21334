import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Customer } from '../data/customers.ts';
import type { Outcome } from './run-items.ts';

interface OneByOneActivities {
  uploadOne(tenant: string, item: Customer): Promise<Outcome>;
  doNothing(): Promise<void>;
}

const { uploadOne } = proxyActivities<OneByOneActivities>({ startToCloseTimeout: '20s' });

const { doNothing } = proxyLocalActivities<OneByOneActivities>({ startToCloseTimeout: '5s' });

/** The least that a batch can be on Temporal: one workflow, whose only activity is a local one. */
export async function emptyBatch(): Promise<void> {
  await doNothing();
}

/** One activity a resource and nothing else: the outcomes are in the history. */
export async function uploadOneByOne(tenant: string, items: readonly Customer[]): Promise<Outcome[]> {
  return Promise.all(items.map((item) => uploadOne(tenant, item)));
}
