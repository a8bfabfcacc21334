import { customers } from '../../data/customers.ts';
import type { Figure } from '../../figures/figures.ts';
import { type MeasuredInstallation, secondsUntilEnd } from '../../installation/measured-installation.ts';
import type { Bench, Benchmark } from '../../run/bench.ts';

/** 10,000 resources in 10 batches at once. */
export const upload10x1000: Benchmark = {
  name: 'upload-10x1000',
  about: '10 batches of 1000 resources at once',
  run: (bench) => bench.withInstallation((drover) => uploadTen(bench, drover)),
};

async function uploadTen(bench: Bench, drover: MeasuredInstallation): Promise<Figure[]> {
  await uploadAtOnce(drover, await drover.newTenant(), 10, bench.size(1000));
  return bench.inRounds(async () => {
    const tenant = await drover.newTenant();
    const fresh = await uploadAtOnce(drover, tenant, 10, bench.size(1000));
    const again = await uploadAtOnce(drover, tenant, 10, bench.size(1000), { revision: 1 });
    return [
      { name: 'new', unit: 'resources/s', values: [fresh] },
      { name: 'upsert of existing', unit: 'resources/s', values: [again] },
    ];
  });
}

/** Uploads batches at once. @returns resources/s. */
export function uploadAtOnce(
  drover: MeasuredInstallation,
  tenant: string,
  batches: number,
  size: number,
  which: Partial<Pick<Uploads, 'from' | 'revision'>> = {},
): Promise<number> {
  return uploadInFlight(drover, tenant, { batches, width: batches, size, ...which });
}

export interface Uploads {
  readonly batches: number;
  /** Batches that are under way at a time. */
  readonly width: number;
  /** Resources in a batch. */
  readonly size: number;
  /** Number of the first resource. Default 0. */
  readonly from?: number;
  /** Another one changes every resource. Default 0. */
  readonly revision?: number;
}

/** Uploads batches, some of them in flight. @returns resources/s. */
export async function uploadInFlight(
  drover: MeasuredInstallation,
  tenant: string,
  { batches, width, size, from = 0, revision = 0 }: Uploads,
): Promise<number> {
  const bodies = Array.from({ length: batches }, (_, n) =>
    JSON.stringify({ resources: customers(from + n * size, size, revision) }),
  );
  const since = Date.now();
  const over = await drover.inFlight(width, batches, (n) => drover.start('POST', 'customer', bodies[n] ?? '', tenant));
  return (batches * size) / secondsUntilEnd(since, over);
}
