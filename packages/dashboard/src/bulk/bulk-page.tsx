import type { BulkOperation } from '@drover/client';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Outcomes } from '../imports/outcomes.tsx';
import { useDrover } from '../session/drover-context.ts';
import { to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { CopyId } from '../ui/copy-id.tsx';
import { number } from '../ui/format.ts';
import { Facts, PageHead, Section } from '../ui/page.tsx';
import { Notice, Unloaded } from '../ui/states.tsx';
import { CountBar, StatusBadge } from '../ui/status.tsx';
import { Lasted, Moment } from '../ui/time.tsx';
import { countsOf } from './bulk-counts.ts';
import { filterFacts } from './filter-facts.ts';

const { bulk: t } = strings;
/** While it runs, in ms. */
const REFRESH_MS = 1_000;

/** How far an operation on many batches is. */
export function BulkPage({ bulkOperationId }: { bulkOperationId: string }) {
  const drover = useDrover();
  const found = useQuery({
    queryKey: ['bulk', bulkOperationId],
    queryFn: ({ signal }) => drover.bulkOperations.get(bulkOperationId, { signal }),
    refetchInterval: ({ state }) => (state.data?.completedAt === undefined ? REFRESH_MS : false),
  });
  if (found.data === undefined) return <Unloaded query={found} />;
  const operation = found.data;
  return (
    <>
      <PageHead
        about={
          <span className="about-line">
            <StatusBadge status={operation.status} />
            <CopyId id={bulkOperationId} />
          </span>
        }
        title={t.name(strings.verbs[operation.operation])}
      >
        {operation.completedAt === undefined && <End bulkOperationId={bulkOperationId} />}
      </PageHead>
      {found.error && <Notice error={found.error} />}
      <Progress operation={operation} />
      {operation.counts && operation.actions && (
        <Section title={t.items}>
          <Outcomes actions={operation.actions} counts={operation.counts} />
        </Section>
      )}
      <Section
        title={t.filter}
        tools={
          <a className="button button-small" href={to(['batches'], queryOf(operation))}>
            {t.showFitting}
          </a>
        }
      >
        <Facts facts={filterFacts(operation.filter)} />
      </Section>
    </>
  );
}

/** Batches whose turn has not come are left as they are. */
function End({ bulkOperationId }: { bulkOperationId: string }) {
  const drover = useDrover();
  const cache = useQueryClient();
  const end = useMutation({
    mutationFn: () => drover.bulkOperations.cancel(bulkOperationId),
    onSettled: () => cache.invalidateQueries({ queryKey: ['bulk', bulkOperationId] }),
  });
  return (
    <div className="verbs">
      <button className="button" disabled={end.isPending} onClick={() => end.mutate()} title={t.endText} type="button">
        {t.end}
      </button>
      {end.error && <Notice error={end.error} />}
    </div>
  );
}

function Progress({ operation }: { operation: BulkOperation }) {
  const { matched, done, skipped, failed, createdAt, completedAt, createdBy } = operation;
  const refused = Object.entries(failed);
  return (
    <Section title={t.batches}>
      <p className="figure" role="status">
        {t.progress(done, matched)}
      </p>
      <CountBar counts={countsOf(operation)} isLarge />
      <ul className="counts">
        <li className="count count-succeeded">
          <span aria-hidden="true" className="dot" />
          <b>{number(done)}</b> {t.done}
        </li>
        {skipped > 0 && (
          <li className="count">
            <span aria-hidden="true" className="dot" />
            <b>{number(skipped)}</b> {t.skipped}
          </li>
        )}
        {refused.map(([code, n]) => (
          <li className="count count-failed" key={code}>
            <span aria-hidden="true" className="dot" />
            <b>{number(n)}</b> {t.codes[code as keyof typeof t.codes] ?? code}
          </li>
        ))}
      </ul>
      <Facts
        facts={[
          [strings.batches.columns.created, <Moment at={createdAt} key="created" />],
          [strings.batches.columns.duration, <Lasted from={createdAt} key="lasted" until={completedAt} />],
          ...(createdBy === undefined ? [] : ([[strings.webhooks.createdBy, createdBy]] as const)),
        ]}
      />
    </Section>
  );
}

/** The filter as a list of batches has it in its address. */
const queryOf = ({ filter }: BulkOperation): Record<string, string> =>
  Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, [value].flat().join()]));
