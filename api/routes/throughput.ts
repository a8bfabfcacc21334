import { z } from '@hono/zod-openapi';
import { type Scope, scopeKey } from '../../domain/batch/scope.ts';
import { THROUGHPUT_MINUTES, throughputByMinute, throughputSince } from '../../domain/batch/throughput.ts';
import { MAX_THROUGHPUT_BATCHES } from '../../domain/limits.ts';
import { finishedSince } from '../../store/batches/throughput.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse } from '../http/define-route.ts';
import { success } from '../http/envelope.ts';
import { SharedAnswers } from '../state/shared-answers.ts';
import { batchScopesOf } from './batches/find-batch.ts';

const count = z.number().int().min(0);
const Throughput = z
  .object({
    minutes: z
      .array(
        z.object({
          at: z.iso.datetime().openapi({ description: 'Its beginning' }),
          batches: count,
          items: count,
          unsuccessful: count.openapi({ description: 'Of the items: failed, expired and cancelled ones' }),
        }),
      )
      .length(THROUGHPUT_MINUTES)
      .openapi({ description: 'The oldest first; the last one is not over yet' }),
    isCapped: z
      .literal(true)
      .optional()
      .openapi({ description: `More batches have finished: only the last ${MAX_THROUGHPUT_BATCHES} are counted` }),
  })
  .openapi('Throughput');

/** How old an answer may be, in ms. It is read from thousands of batches, which are whole documents for the database. */
const KEPT_MS = 5_000;

/** How much has been done in the last hour. */
export function throughputRoute(api: Api): void {
  const shared = new SharedAnswers<z.input<typeof Throughput>>(KEPT_MS);
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/throughput',
      operationId: 'getThroughput',
      tags: ['Operation'],
      summary: 'Batches and items of the tenant that have finished in each minute of the last hour',
      description: 'An item counts in the minute in which its batch has finished. The numbers may be some seconds old.',
      responses: { 200: jsonResponse('The throughput', enveloped(Throughput)), ...faults() },
    },
    async (c) => {
      const scopes = batchScopesOf(c);
      const { database } = c.var.services;
      const throughput = await shared.get(scopes.map(scopeKey).join(), () => throughputOf(database, scopes));
      return c.json(success('Throughput of the last hour', throughput));
    },
  );
}

async function throughputOf(database: Database, scopes: readonly Scope[]): Promise<z.input<typeof Throughput>> {
  const since = throughputSince(new Date());
  const finished = await finishedSince(database, scopes, since, MAX_THROUGHPUT_BATCHES + 1);
  const counted = finished.slice(0, MAX_THROUGHPUT_BATCHES);
  const isCapped = finished.length > counted.length;
  return { minutes: throughputByMinute(counted, since), ...(isCapped && { isCapped }) };
}
