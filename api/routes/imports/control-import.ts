import { z } from '@hono/zod-openapi';
import {
  controlImport,
  deleteImport,
  type IMPORT_CONTROLS,
  retryImport,
} from '../../../services/imports/control-import.ts';
import { viewStoredImport } from '../../../services/imports/view-import.ts';
import { type Api, defineRoute, enveloped, faults, jsonResponse } from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { importOf, noImport } from './find-import.ts';
import { Import, importParams } from './import-schemas.ts';

const tags = ['Imports'];

const SUMMARIES = {
  suspend: 'Cut and apply nothing more until resumed',
  resume: 'Continue where it stopped',
  cancel: 'End it; what was applied stays',
} as const satisfies Record<keyof typeof IMPORT_CONTROLS, string>;

/** Suspend, resume, cancel, retry and removal of an import (docs/api.md#imports). */
export function controlImportRoutes(api: Api): void {
  for (const verb of ['suspend', 'resume', 'cancel'] as const) {
    defineRoute(
      api,
      {
        method: 'post',
        path: `/api/imports/{importId}/${verb}`,
        operationId: `${verb}Import`,
        tags,
        params: importParams,
        summary: SUMMARIES[verb],
        description:
          'The request is stored before the answer, and its workflow passes it on to the batches of the import: within a second, or as soon as Temporal is available.',
        responses: { 200: jsonResponse('The import', Import), ...faults(404, 409) },
      },
      async (c, { params: { importId } }) => {
        const controlled = await controlImport(c.var.services, await importOf(c, importId), verb);
        const view = await viewStoredImport(c.var.services.database, controlled);
        return c.json(success(`Import is ${view.status}`, view));
      },
    );
  }
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/imports/{importId}/retry',
      operationId: 'retryImport',
      tags,
      params: importParams,
      summary: 'Run failed, expired and cancelled rows again',
      description:
        'In new runs of the same batches; rows of a cancelled import that were not read are read now. 202 means that the run is stored and certain to be started.',
      responses: { 202: jsonResponse('The import', Import), ...faults(404, 409) },
    },
    async (c, { params: { importId } }) => {
      const retried = await retryImport(c.var.services, await importOf(c, importId));
      const view = await viewStoredImport(c.var.services.database, retried);
      return c.json(success(`Import is ${view.status}`, view), 202);
    },
  );
  defineRoute(
    api,
    {
      method: 'delete',
      path: '/api/imports/{importId}',
      operationId: 'deleteImport',
      tags,
      params: importParams,
      summary: 'Remove an import for good',
      description:
        'Removes the import, its batches, its content and their workflow executions; a running one is cancelled first. Resources stay. From the answer on the import and its batches are a 404.',
      responses: { 200: jsonResponse('Removed', enveloped(z.object({ importId: z.string() }))), ...faults(404) },
    },
    async (c, { params: { importId } }) => {
      if (!(await deleteImport(c.var.services, await importOf(c, importId)))) throw noImport(importId);
      return c.json(success('Import deleted', { importId }));
    },
  );
}
