import { type Api, defineRoute, faults } from '../../http/define-route.ts';
import { aboutEvents, answerWithEvents, eventResponses, LAST_EVENT } from '../stream-events.ts';
import { noImport } from './find-import.ts';
import { importParams } from './import-schemas.ts';

/** The changes of an import as they happen (docs/api.md#imports). */
export function watchImportRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/imports/{importId}/events',
      operationId: 'watchImport',
      tags: ['Imports'],
      params: importParams,
      headers: LAST_EVENT,
      summary: 'Server-sent events: one at each change, at most 4 a second, and a last one at the end',
      description: aboutEvents('import'),
      responses: { ...eventResponses('import', 'ImportData'), ...faults(404) },
    },
    async (c, { params: { importId } }) => {
      const { importEvents } = c.var.services;
      const imported = await importEvents.find([c.var.scope], importId);
      if (imported === null) throw noImport(importId);
      return answerWithEvents(c, 'import', importEvents, imported);
    },
  );
}
