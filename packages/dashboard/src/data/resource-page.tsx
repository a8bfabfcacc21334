import type { ResourceWithIncluded } from '@drover/client';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useDrover } from '../session/drover-context.ts';
import { to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Json } from '../ui/json.tsx';
import { Facts, PageHead, Section } from '../ui/page.tsx';
import { Failed, Loading, Unloaded } from '../ui/states.tsx';
import { Moment } from '../ui/time.tsx';
import { referencesOf } from './references.ts';
import { useSchemas } from './use-schemas.ts';

const { resource: t } = strings;
const PAGE = 50;
/** References that are shown as links; a resource may have thousands. */
const MOST_REFERENCES = 200;

export function ResourcePage({ schema, externalId }: { schema: string; externalId: string }) {
  const drover = useDrover();
  const resource = useQuery({
    queryKey: ['resource', schema, externalId],
    queryFn: ({ signal }) => drover.resources.get(schema, externalId, { signal }),
  });
  return (
    <>
      <PageHead about={<a href={to(['data', schema])}>{schema}</a>} title={externalId} />
      {resource.data ? (
        <>
          <About resource={resource.data} />
          <div className="columns">
            <RefersTo resource={resource.data} schema={schema} />
            <ReferredBy externalId={externalId} schema={schema} />
          </div>
          <Section title={t.json}>
            <Json label={t.json} value={resource.data.data} />
          </Section>
        </>
      ) : (
        <Unloaded query={resource} />
      )}
    </>
  );
}

function About({ resource: { createdAt, updatedAt, versionNumber, lastWrite } }: { resource: ResourceWithIncluded }) {
  const facts = [
    [t.version, versionNumber],
    [t.created, <Moment at={createdAt} key="created" />],
    [t.updated, <Moment at={updatedAt} key="updated" />],
    ...(lastWrite
      ? ([
          [
            t.lastWrite,
            <a href={to(['batches', lastWrite.batchId])} key="write">
              {strings.batch.title}, {t.lastWriteItem(lastWrite.index)}
            </a>,
          ],
        ] as const)
      : []),
  ] as const;
  return (
    <div className="card">
      <Facts facts={facts} />
    </div>
  );
}

function RefersTo({ resource, schema }: { resource: ResourceWithIncluded; schema: string }) {
  const { data } = useSchemas();
  const definition = data?.find(({ id }) => id === resource.schemaDefinitionId);
  const references = definition ? referencesOf(resource, definition) : [];
  const more = references.length - MOST_REFERENCES;
  // a token of a tenant does not see which fields refer
  if (definition === undefined) return null;
  return (
    <Section title={t.refersTo}>
      {references.length === 0 && <p className="muted">{t.refersToNothing}</p>}
      <ul aria-label={`${schema}: ${t.refersTo}`} className="plain">
        {references.slice(0, MOST_REFERENCES).map(({ field, schemaName, externalId }) => (
          <li key={`${field} ${externalId}`}>
            <a className="mono" href={to(['data', schemaName, externalId])}>
              {externalId}
            </a>{' '}
            <span className="small muted">
              {schemaName}, {t.in(field)}
            </span>
          </li>
        ))}
        {more > 0 && <li className="muted">{t.more(more)}</li>}
      </ul>
    </Section>
  );
}

function ReferredBy({ schema, externalId }: { schema: string; externalId: string }) {
  const drover = useDrover();
  const list = useInfiniteQuery({
    queryKey: ['referrers', schema, externalId],
    queryFn: ({ pageParam, signal }) =>
      drover.resources.references(schema, externalId, { limit: PAGE, signal }).page(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ pagination }) => pagination.cursor ?? undefined,
  });
  const referrers = list.data?.pages.flatMap(({ results }) => results) ?? [];
  return (
    <Section title={t.referredBy}>
      {list.error && <Failed error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <Loading />}
      {list.data && referrers.length === 0 && <p className="muted">{t.referredByNothing}</p>}
      <ul className="plain">
        {referrers.map(({ id, schemaName, resourceExternalId, fields }) => (
          <li key={id}>
            <a className="mono" href={to(['data', schemaName, resourceExternalId])}>
              {resourceExternalId}
            </a>{' '}
            <span className="small muted">
              {schemaName}, {t.in(fields.join(', '))}
            </span>
          </li>
        ))}
      </ul>
      {list.hasNextPage && (
        <button
          className="button button-small"
          disabled={list.isFetching}
          onClick={() => void list.fetchNextPage()}
          type="button"
        >
          {t.loadMore}
        </button>
      )}
    </Section>
  );
}
