import type { Benchmark } from './bench.ts';
import { smallBatches } from './workloads/small-batches.ts';
import { upload1000 } from './workloads/upload-1000.ts';
import { upload10x1000 } from './workloads/upload-10x1000.ts';

/** Every benchmark, in the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [upload1000, upload10x1000, smallBatches];
