import type { Benchmark } from './bench.ts';
import { growthBatches } from './growth/batches.ts';
import { growthPending } from './growth/pending.ts';
import { growthStored } from './growth/stored.ts';
import { growthWorkers } from './growth/workers.ts';
import { acceptLatency } from './workloads/accept.ts';
import { camundaDelete } from './workloads/camunda-delete.ts';
import { cascade } from './workloads/cascade.ts';
import { deleteAll, deleteByIds } from './workloads/delete.ts';
import { history } from './workloads/history.ts';
import { memory } from './workloads/memory.ts';
import { patch } from './workloads/patch.ts';
import { peers } from './workloads/peers.ts';
import { profile } from './workloads/profile.ts';
import { recovery } from './workloads/recovery.ts';
import { smallBatches } from './workloads/small-batches.ts';
import { statusLatency } from './workloads/status.ts';
import { upload10x1000 } from './workloads/upload-10x1000.ts';
import { upload1000 } from './workloads/upload-1000.ts';
import { singleWakeUp, wakeUp } from './workloads/wake-up.ts';

/** Every benchmark, in the order in which they run: the longest last. */
export const BENCHMARKS: readonly Benchmark[] = [
  peers,
  upload1000,
  upload10x1000,
  smallBatches,
  patch,
  deleteByIds,
  cascade,
  wakeUp,
  singleWakeUp,
  acceptLatency,
  statusLatency,
  history,
  memory,
  profile,
  growthBatches,
  growthWorkers,
  growthStored,
  growthPending,
  recovery,
  deleteAll,
  camundaDelete,
];
