import type { JobCounts } from '../../domain/executions/job-counts.ts';
import { countJobs } from '../../services/executions/count-jobs.ts';
import {
  listTerminations,
  type Slice,
  type Termination,
  type TerminationFilter,
} from '../../store/batches/terminations.ts';
import type { ApiContext } from '../http/context.ts';
import { ownerOf } from './reach.ts';
import { streamedList } from './streamed-list.ts';

/** Answers with a slice of the caller's batches. @param filter null: nothing is selected. */
export function listedBatches(
  c: ApiContext,
  filter: TerminationFilter | null,
  slice: Slice,
  show: (batch: Termination, jobs: JobCounts) => object,
): Promise<Response> {
  return streamedList(c, entries(c, filter, slice, show));
}

async function* entries(
  c: ApiContext,
  filter: TerminationFilter | null,
  slice: Slice,
  show: (batch: Termination, jobs: JobCounts) => object,
): AsyncGenerator<string, void> {
  if (filter === null) return;
  const { database } = c.var.services;
  for await (const batch of listTerminations(database, ownerOf(c), filter, slice))
    yield JSON.stringify(show(batch, await countJobs(database, batch)));
}
