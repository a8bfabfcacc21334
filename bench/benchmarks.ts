import type { Benchmark } from './run/bench.ts';
import { history } from './workloads/cost/history.ts';
import { memory } from './workloads/cost/memory.ts';
import { profile } from './workloads/cost/profile.ts';
import { camundaDelete } from './workloads/delete/camunda-delete.ts';
import { cascade } from './workloads/delete/cascade.ts';
import { deleteAll, deleteByIds } from './workloads/delete/delete.ts';
import { growthBatches } from './workloads/growth/batches.ts';
import { growthExport } from './workloads/growth/export.ts';
import { growthPending } from './workloads/growth/pending.ts';
import { growthStored } from './workloads/growth/stored.ts';
import { growthWorkers } from './workloads/growth/workers.ts';
import { importFiles } from './workloads/import/import.ts';
import { acceptLatency } from './workloads/latency/accept.ts';
import { statusLatency } from './workloads/latency/status.ts';
import { peers } from './workloads/peers/peers.ts';
import { server } from './workloads/server/server.ts';
import { recovery } from './workloads/wait/recovery.ts';
import { singleWakeUp, wakeUp } from './workloads/wait/wake-up.ts';
import { fanOut } from './workloads/write/fan-out.ts';
import { patch } from './workloads/write/patch.ts';
import { smallBatches } from './workloads/write/small-batches.ts';
import { upload10x1000 } from './workloads/write/upload-10x1000.ts';
import { upload1000 } from './workloads/write/upload-1000.ts';

/** Every benchmark, in the order in which they run: the longest last. */
export const BENCHMARKS: readonly Benchmark[] = [
  peers,
  upload1000,
  upload10x1000,
  smallBatches,
  fanOut,
  patch,
  deleteByIds,
  cascade,
  wakeUp,
  singleWakeUp,
  acceptLatency,
  statusLatency,
  server,
  history,
  memory,
  profile,
  growthBatches,
  growthWorkers,
  growthStored,
  growthExport,
  growthPending,
  importFiles,
  recovery,
  deleteAll,
  camundaDelete,
];
