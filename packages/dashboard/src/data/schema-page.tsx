import type { SchemaDefinition } from '@drover/client';
import { type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Json } from '../ui/json.tsx';
import { PageHead, Section } from '../ui/page.tsx';
import { Unloaded } from '../ui/states.tsx';
import { Resources } from './resources.tsx';
import { isForbidden, useSchemas } from './use-schemas.ts';

const { data: t } = strings;

/** A schema definition, and the resources of it. @param schema its name, plural name or id. */
export function SchemaPage({ schema, place }: { schema: string; place: Place }) {
  const schemas = useSchemas();
  const { data, error } = schemas;
  const wanted = schema.toLowerCase();
  const definition = data?.find(({ id, name, pluralName }) =>
    [id, name, pluralName].some((known) => known?.toLowerCase() === wanted),
  );
  if (data === undefined && !isForbidden(error)) return <Unloaded query={schemas} />;
  return (
    <>
      <PageHead
        about={definition?.description ?? (definition && t.version(definition.versionNumber))}
        title={definition?.name ?? schema}
      >
        <a className="button" href={to(['batches'], { schema: definition?.name ?? schema })}>
          {t.batches}
        </a>
      </PageHead>
      <Resources place={place} schema={definition?.name ?? schema} />
      {definition && <Definition all={data ?? []} definition={definition} />}
    </>
  );
}

function Definition({ definition, all }: { definition: SchemaDefinition; all: readonly SchemaDefinition[] }) {
  const referring = all.filter(({ referenceSchemas }) =>
    referenceSchemas.some((known) =>
      [definition.name, definition.id, definition.pluralName].some(
        (name) => name?.toLowerCase() === known.toLowerCase(),
      ),
    ),
  );
  return (
    <Section title={t.schema}>
      <dl className="facts">
        <div>
          <dt>{t.columns.externalId}</dt>
          <dd className="mono">{definition.externalIdField}</dd>
        </div>
        <div>
          <dt>{t.columns.version}</dt>
          <dd>{definition.versionNumber}</dd>
        </div>
        <SchemaLinks name={t.refersTo} schemas={definition.referenceSchemas} />
        <SchemaLinks name={t.referredBy} schemas={referring.map(({ name }) => name)} />
      </dl>
      <Json label={t.schema} value={definition.schema} />
    </Section>
  );
}

function SchemaLinks({ name, schemas }: { name: string; schemas: readonly string[] }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="links">
        {schemas.length === 0 && <span className="muted">{t.nothing}</span>}
        {schemas.map((schema) => (
          <a href={to(['data', schema])} key={schema}>
            {schema}
          </a>
        ))}
      </dd>
    </div>
  );
}
