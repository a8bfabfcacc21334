import { findImport, type ImportDocument } from '../../../store/imports/imports.ts';
import { notFound } from '../../http/api-error.ts';
import type { ApiContext } from '../../http/context.ts';

/** The import that a path names. @throws DroverError 404 */
export async function importOf(c: ApiContext, importId: string): Promise<ImportDocument> {
  const imported = await findImport(c.var.services.database, c.var.scope, importId);
  if (imported === null) throw noImport(importId);
  return imported;
}

export const noImport = (importId: string) => notFound(`there is no import "${importId}"`);
