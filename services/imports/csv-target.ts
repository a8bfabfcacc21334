import type { CsvTarget } from '../../domain/imports/csv.ts';
import type { ImportDocument } from '../../store/imports/imports.ts';
import type { SchemaCatalog } from '../definitions/schema-catalog.ts';

/** What the header of an import of CSV is checked against; null where each row names its schema definition. */
export async function csvTargetOf(
  schemas: SchemaCatalog,
  {
    schemaDefinitionId,
    externalIdField,
    options,
  }: Pick<ImportDocument, 'schemaDefinitionId' | 'externalIdField' | 'options'>,
): Promise<CsvTarget | null> {
  if (schemaDefinitionId === undefined || externalIdField === undefined) return null;
  const { ignoreUnknownFields, operation } = options;
  const schema = (await schemas.latest(schemaDefinitionId))?.definition.schema ?? {};
  return { schema, externalIdField, ignoreUnknownFields, readsIdOnly: operation === 'delete' };
}
