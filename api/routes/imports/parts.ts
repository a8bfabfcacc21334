import { z } from '@hono/zod-openapi';
import { totalOf, totalText } from '../../../domain/batch/total.ts';
import { DroverError } from '../../../domain/errors.ts';
import { MAX_IMPORT_PART_BYTES, MAX_IMPORT_PARTS, MAX_ITEMS_PAGE_LIMIT } from '../../../domain/limits.ts';
import { csvTargetOf } from '../../../services/imports/csv-target.ts';
import { receivePart, sealParts } from '../../../services/imports/receive/receive-import.ts';
import { removeSentPart } from '../../../services/imports/receive/remove-part.ts';
import { viewImport } from '../../../services/imports/view-import.ts';
import { listParts, storedParts } from '../../../store/imports/import-content.ts';
import type { ImportDocument } from '../../../store/imports/imports.ts';
import { badRequest } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';
import type { ListPlace } from '../../http/cursors.ts';
import {
  type Api,
  defineRoute,
  enveloped,
  faults,
  jsonResponse,
  pageOf,
  pageQuery,
  wholeNumberFault,
} from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import { withContent } from '../../http/read-content.ts';
import { withGoodHeader } from './csv-content.ts';
import { importOf } from './find-import.ts';
import { Import, importParams } from './import-schemas.ts';
import { assertFormat, CONTENT_TYPES } from './start-import.ts';

const tags = ['Imports'];
const PARTS = { min: 1, max: MAX_IMPORT_PARTS };
const PART_FAULT = wholeNumberFault(PARTS);
const Part = enveloped(z.object({ importId: z.string(), part: z.number().int(), bytes: z.number().int() })).openapi(
  'ImportPart',
);
const RemovedPart = enveloped(z.object({ importId: z.string(), part: z.number().int() })).openapi('ImportPartRemoved');
const PartList = pageOf(
  z.object({
    part: z.number().int(),
    bytes: z.number().int().openapi({ description: 'Unpacked' }),
    sha256: z.string().openapi({ description: 'SHA-256 of the unpacked bytes, in hexadecimal' }),
  }),
).openapi('ImportPartList');

/** The content of an import in parts, for large files and bad networks. */
export function partRoutes(api: Api): void {
  listPartsRoute(api);
  removePartRoute(api);
  defineRoute(
    api,
    {
      method: 'put',
      path: '/api/imports/{importId}/parts/{part}',
      operationId: 'putImportPart',
      tags,
      summary: 'Send one part of the content',
      description:
        'Parts are numbered from 1 and may be sent in any order and at the same time; a row may begin in one part and end in the next. At most 64 MiB, unpacked; each may be gzip or zstd of its own. The same content again is a 200, other content under the same number a 409.',
      params: importParams.extend({ part: z.string() }),
      streams: Object.values(CONTENT_TYPES),
      responses: {
        200: jsonResponse('The part was sent before', Part),
        201: jsonResponse('The part is durable', Part),
        ...faults(404, 409, 413, 415),
      },
    },
    async (c, { params: { importId, part } }) => {
      const imported = await importOf(c, importId);
      const number = partNumber(part);
      assertFormat(c.req.header('content-type') ?? '', imported.format);
      if (imported.upload !== undefined)
        throw new DroverError('operation_not_allowed', 'the import comes in one request and takes no parts');
      const { isNew, stored } = await withContent(c, await roomFor(c, imported, number), async (received) => {
        const content = number === 1 && imported.format === 'csv' ? await firstPart(c, imported, received) : received;
        return receivePart(c.var.services, imported, number, content, c.var.services.config.IMPORT_MAX_BYTES);
      });
      const data = { importId, part: number, bytes: stored.bytes };
      return c.json(success(isNew ? 'Part stored' : 'Part was stored before', data), isNew ? 201 : 200);
    },
  );
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/imports/{importId}/seal',
      operationId: 'sealImport',
      tags,
      summary: 'All parts are sent',
      description: 'A part that is missing is a 409 that names it. The same request again is a 200.',
      params: importParams,
      body: z
        .strictObject({ parts: z.int({ error: PART_FAULT }).min(PARTS.min, PART_FAULT).max(PARTS.max, PART_FAULT) })
        .openapi('ImportSeal'),
      bodyHint: ': {"parts": 3}',
      responses: { 200: jsonResponse('The import', Import), ...faults(404, 409, 413, 415) },
    },
    async (c, { params: { importId }, body: { parts } }) => {
      const { services } = c.var;
      const sealed = await sealParts(services, await importOf(c, importId), parts, services.config.IMPORT_MAX_BYTES);
      const view = await viewImport(c.var.services, sealed);
      return c.json(success(`Import is ${view.status}`, view));
    },
  );
}

function listPartsRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/imports/{importId}/parts',
      operationId: 'listImportParts',
      tags,
      summary: 'The parts of an import that are stored, by number',
      description: 'A sender that was interrupted sends the others, and those whose content is another one.',
      params: importParams,
      query: z.object(pageQuery({ max: MAX_ITEMS_PAGE_LIMIT, defaultLimit: 100 })),
      responses: { 200: jsonResponse('A page of parts', PartList), ...faults(404) },
    },
    async (c, { params: { importId }, query: { cursor, limit } }) => {
      const { database, cursors } = c.var.services;
      const { _id, removedUploads = [] } = await importOf(c, importId);
      const place: ListPlace = { list: `parts of import ${_id}`, filter: [] };
      const after = (await cursors.decodeIndex(c.var.scope, place, cursor)) ?? 0;
      const stored = (await listParts(database, _id)).filter(({ upload }) => !removedUploads.includes(upload));
      const rest = stored.filter(({ part }) => part > after);
      const page = rest.slice(0, limit);
      const last = page.at(-1);
      const next = rest.length > limit && last ? await cursors.encode(c.var.scope, place, String(last.part)) : null;
      const total = totalOf(stored.length);
      const results = page.map(({ part, bytes, hash }) => ({ part, bytes, sha256: hash }));
      return c.json(success(totalText(total, 'part', 'parts'), { results, pagination: paginationOf(total, next) }));
    },
  );
}

function removePartRoute(api: Api): void {
  defineRoute(
    api,
    {
      method: 'delete',
      path: '/api/imports/{importId}/parts/{part}',
      operationId: 'deleteImportPart',
      tags,
      summary: 'Remove a part that was sent by mistake',
      description:
        'Other content can be sent under its number then, or none. A 409 if rows of it are carried out already, which may begin as soon as all parts before it are there, and once the import is sealed.',
      params: importParams.extend({ part: z.string() }),
      responses: { 200: jsonResponse('The part is removed', RemovedPart), ...faults(404, 409) },
    },
    async (c, { params: { importId, part } }) => {
      const imported = await importOf(c, importId);
      const number = partNumber(part);
      await removeSentPart(c.var.services.database, imported, number);
      return c.json(success('Part removed', { importId, part: number }));
    },
  );
}

function partNumber(given: string): number {
  const number = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN;
  if (!(number >= PARTS.min && number <= PARTS.max)) throw badRequest(`part: ${PART_FAULT}`);
  return number;
}

/** The first part of a file of CSV, once its header has no faults. */
async function firstPart(
  c: ApiContext,
  imported: ImportDocument,
  content: AsyncIterable<Uint8Array>,
): Promise<AsyncIterable<Uint8Array>> {
  const target = await csvTargetOf(c.var.services.schemas, imported);
  return withGoodHeader(content, imported.csvOptions ?? {}, target, false);
}

/** Unpacked bytes that a part may have: all parts together have a limit. */
async function roomFor(c: ApiContext, imported: ImportDocument, part: number): Promise<number> {
  const { database, config } = c.var.services;
  const others = await storedParts(database, imported);
  others.delete(part);
  const held = [...others.values()].reduce((sum, bytes) => sum + bytes, 0);
  return Math.min(MAX_IMPORT_PART_BYTES, Math.max(0, config.IMPORT_MAX_BYTES - held));
}
