import { proxyActivities } from '@temporalio/workflow';
import type { Customer } from '../data/customers.ts';
import type { Outcome } from './run-items.ts';

interface OneByOneActivities {
  uploadOne(tenant: string, item: Customer): Promise<Outcome>;
}

const { uploadOne } = proxyActivities<OneByOneActivities>({ startToCloseTimeout: '20s' });

/** One activity a resource and nothing else: the outcomes are in the history. */
export async function uploadOneByOne(tenant: string, items: readonly Customer[]): Promise<Outcome[]> {
  return Promise.all(items.map((item) => uploadOne(tenant, item)));
}
