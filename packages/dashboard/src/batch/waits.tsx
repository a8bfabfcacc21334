import type { Batch } from '@drover/client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useDrover } from '../session/drover-context.ts';
import { strings } from '../strings.ts';
import { number } from '../ui/format.ts';
import { Section } from '../ui/page.tsx';
import { Unloaded } from '../ui/states.tsx';
import { Countdown } from '../ui/time.tsx';
import { type WaitGraph, waitGraph } from './wait-graph.ts';

const { waits: t } = strings;
/** In ms. */
const REFRESH_MS = 2_000;
/** Height of a row, in pixels: rows and lines have to meet. */
const ROW = 44;

/** The missing resources on one side, the items that wait for them on the other. */
export function Waits({ batch: { batchId, counts } }: { batch: Batch }) {
  const drover = useDrover();
  const details = useQuery({
    queryKey: ['waits', batchId],
    queryFn: ({ signal }) => drover.batches.get(batchId, { includePendingDetails: true, signal }),
    refetchInterval: REFRESH_MS,
    placeholderData: keepPreviousData,
  });
  if (details.data === undefined)
    return (
      <Section title={t.title}>
        <Unloaded query={details} />
      </Section>
    );
  const { pendingResources = [], pendingResourcesTotal = pendingResources.length } = details.data;
  const graph = waitGraph(pendingResources);
  const isCut = pendingResources.length < pendingResourcesTotal;
  const missing = t.resources(graph.missingTotal);
  return (
    <Section title={t.title}>
      <p className="figure">{t.summary(t.items(counts.pending), isCut ? strings.states.atLeast(missing) : missing)}</p>
      <Picture graph={graph} total={pendingResources.length} />
      {isCut && <p className="small muted">{t.firstOnly(pendingResources.length)}</p>}
    </Section>
  );
}

function Picture({ graph, total }: { graph: WaitGraph; total: number }) {
  const { missing, missingTotal, items } = graph;
  const others = total - items.length;
  const rows = Math.max(missing.length, items.length + (others > 0 ? 1 : 0));
  return (
    <div className="waits">
      <div className="waits-head">
        <h3>{t.missing}</h3>
        <h3>{t.waiting}</h3>
      </div>
      <div className="waits-picture">
        <ol className="waits-side">
          {missing.map(({ key, schemaName, externalId, holdsUp }) => (
            <li key={key}>
              <span className="waits-name" title={externalId}>
                <span className="muted">{schemaName}</span> <b className="mono">{externalId}</b>
              </span>
              <span className="small muted nowrap">{t.holdsUp(holdsUp)}</span>
            </li>
          ))}
        </ol>
        <Lines graph={graph} rows={rows} />
        <ol className="waits-side">
          {items.map(({ id, schemaName, resourceExternalId, expiresAt }) => (
            <li key={id}>
              <span className="waits-name" title={resourceExternalId}>
                <span className="muted">{schemaName}</span> <b className="mono">{resourceExternalId}</b>
              </span>
              <span className="small muted nowrap">
                {t.expires} <Countdown at={expiresAt} />
              </span>
            </li>
          ))}
          {others > 0 && <li className="muted">{t.more(others)}</li>}
        </ol>
      </div>
      {missingTotal > missing.length && (
        <p className="small muted">{t.moreMissing(number(missingTotal - missing.length))}</p>
      )}
    </div>
  );
}

const middle = (row: number): number => row * ROW + ROW / 2;

/** Drawn between the sides; who cannot see them reads the same in the lists. */
function Lines({ graph: { lines, items }, rows }: { graph: WaitGraph; rows: number }) {
  const height = rows * ROW;
  const most = Math.max(1, ...lines.map((line) => line.items));
  return (
    <svg
      aria-hidden="true"
      className="waits-lines"
      height={height}
      preserveAspectRatio="none"
      viewBox={`0 0 100 ${height}`}
    >
      {lines.map(({ from, to, items: n }) => (
        <path
          d={`M0 ${middle(from)}C50 ${middle(from)} 50 ${middle(to ?? items.length)} 100 ${middle(to ?? items.length)}`}
          key={`${from} ${to}`}
          className={to === null ? 'is-rest' : undefined}
          strokeWidth={1.5 + (4 * (n - 1)) / most}
          vectorEffect="non-scaling-stroke"
        />
      ))}
    </svg>
  );
}
