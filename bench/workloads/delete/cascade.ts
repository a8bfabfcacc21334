import { resourceKey } from '../../../domain/write/resource.ts';
import type { Seed } from '../../data/seed.ts';
import type { MeasuredInstallation } from '../../installation/measured-installation.ts';
import type { Benchmark } from '../../run/bench.ts';
import { timeOfDelete } from './delete.ts';

const ACCOUNTS = 100;
const CONTRACTS = 900;
const INVOICES = 9_000;

/** Accounts, their contracts, the invoices of those: one delete takes all of them. */
export const cascade: Benchmark = {
  name: 'cascade',
  about: `a cascading delete of ${ACCOUNTS} resources takes 10,000 over three levels`,
  run: (bench) =>
    bench.withInstallation(async (drover) => {
      await drover.define(definition('account'));
      await drover.define(definition('contract', 'account'));
      await drover.define(definition('invoice', 'contract'));
      const [accounts, contracts, invoices] = [bench.size(ACCOUNTS), bench.size(CONTRACTS), bench.size(INVOICES)];
      const externalIds = Array.from({ length: accounts }, (_, n) => `account-${n}`);
      return bench.inRounds(async () => {
        const tenant = await drover.newTenant();
        await store(drover, tenant, 'account', accounts);
        await store(drover, tenant, 'contract', contracts, { schema: 'account', count: accounts });
        await store(drover, tenant, 'invoice', invoices, { schema: 'contract', count: contracts });
        const seconds = await timeOfDelete(drover, tenant, 'account', { externalIds, cascade: true });
        return [{ name: 'deletions', unit: 'resources/s', values: [(accounts + contracts + invoices) / seconds] }];
      });
    }),
};

function definition(name: string, parent?: string) {
  const properties = {
    id: { type: 'string' },
    name: { type: 'string' },
    ...(parent && { [parent]: { $ref: `reach:schemas/${parent}` } }),
  };
  return { name, externalIdField: 'id', schema: { type: 'object', properties, ...(parent && { required: [parent] }) } };
}

async function store(
  drover: MeasuredInstallation,
  tenant: string,
  schema: string,
  count: number,
  parent?: { schema: string; count: number },
): Promise<void> {
  const scope = drover.scope(tenant);
  const seeds = Array.from({ length: count }, (_, n): Seed => {
    const id = `${schema}-${n}`;
    if (parent === undefined) return { externalId: id, data: { id, name: id } };
    const target = `${parent.schema}-${n % parent.count}`;
    return {
      externalId: id,
      data: { id, name: id, [parent.schema]: target },
      references: [resourceKey(scope, drover.idOf(parent.schema), target)],
    };
  });
  await drover.store(tenant, schema, seeds);
}
