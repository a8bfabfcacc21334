import type { Import } from '@drover/client';
import { isFinished } from '@drover/client';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Faults } from '../batch/faults.tsx';
import { optionFacts } from '../batch/options.ts';
import { Undo } from '../batch/undo.tsx';
import { Verbs } from '../batch/verbs.tsx';
import { BatchTable } from '../batches/batch-table.tsx';
import { verbsFor } from '../batches/verbs.ts';
import { Live } from '../live/live.tsx';
import { type Liveness, useLiveImport } from '../live/use-live.ts';
import { useDrover } from '../session/drover-context.ts';
import { go, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { CopyId } from '../ui/copy-id.tsx';
import { Download } from '../ui/download.tsx';
import { bytes, number } from '../ui/format.ts';
import { Facts, PageHead, Section } from '../ui/page.tsx';
import { Notice, Unloaded } from '../ui/states.tsx';
import { CountBar, ITEM_STATUSES, StatusBadge } from '../ui/status.tsx';
import { Lasted, Moment } from '../ui/time.tsx';

const { imports: t } = strings;
/** In ms. */
const REFRESH_MS = 1_000;

export function ImportPage({ importId }: { importId: string }) {
  const drover = useDrover();
  const { query: found, liveness } = useLiveImport(importId);
  if (found.data === undefined) return <Unloaded query={found} />;
  const imported = found.data;
  return (
    <>
      <PageHead
        about={
          <span className="about-line">
            <StatusBadge status={imported.status} suspended={imported.suspended} />
            <CopyId id={importId} />
            {imported.label}
            {imported.undoneBy !== undefined && (
              <a href={to(['bulk', imported.undoneBy])}>{strings.undo.importUndoneBy}</a>
            )}
          </span>
        }
        title={`${strings.operations[imported.options.operation]} ${imported.schemaName || strings.missingSchema}`}
      >
        {isUndoable(imported) && (
          <Undo
            preview={(signal) => drover.imports.previewUndo(importId, { signal })}
            run={async () => go(to(['bulk', (await drover.imports.undo(importId)).bulkOperationId]))}
          />
        )}
        <Verbs
          act={(verb) => drover.imports[verb](importId)}
          changed={['import', importId]}
          confirm={t.confirm}
          home={['imports']}
          verbs={verbsFor(imported, isRetryable(imported))}
        />
      </PageHead>
      {found.error && <Notice error={found.error} />}
      <Progress imported={imported} liveness={liveness} />
      {imported.errors && <Faults errors={imported.errors} />}
      <Results imported={imported} />
      <Batches imported={imported} />
      <Section title={strings.batch.options}>
        <Facts facts={optionFacts(imported)} />
      </Section>
    </>
  );
}

/** Rows without success, and those of a cancelled import that were not read. */
const isRetryable = ({ status, counts: { failed, expired, cancelled } }: Import): boolean =>
  status === 'cancelled' || failed + expired + cancelled > 0;

/** What it has changed is kept, and nobody has taken it back. */
const isUndoable = (imported: Import): boolean =>
  isFinished(imported) && imported.options.undoable === true && imported.undoneBy === undefined;

function Progress({ imported, liveness }: { imported: Import; liveness: Liveness }) {
  const { counts, rowsRead, bytesRead, bytesReceived, sealed, rowsPerSecond, estimatedCompletionAt, brokenOff } =
    imported;
  return (
    <Section title={t.columns.rows} tools={<Live liveness={liveness} />}>
      <CountBar counts={counts} isLarge />
      <ul className="counts">
        {ITEM_STATUSES.filter((status) => counts[status] > 0).map((status) => (
          <li className={`count count-${status}`} key={status}>
            <span aria-hidden="true" className="dot" />
            <b>{number(counts[status])}</b> {strings.itemStatuses[status]}
          </li>
        ))}
      </ul>
      <Facts
        facts={[
          [t.rowsRead, number(rowsRead)],
          [t.bytes, `${t.read(bytes(bytesRead), bytes(bytesReceived))}, ${sealed ? t.sealed : t.notSealed}`],
          ...(rowsPerSecond === undefined ? [] : ([[t.speed, t.rowsPerSecond(rowsPerSecond)]] as const)),
          ...(estimatedCompletionAt === undefined
            ? []
            : ([[t.estimated, <Moment at={estimatedCompletionAt} key="ready" />]] as const)),
          [t.columns.created, <Moment at={imported.createdAt} key="created" />],
          [t.columns.duration, <Lasted from={imported.createdAt} key="lasted" until={imported.completedAt} />],
          ...(brokenOff === undefined ? [] : ([[t.brokenOff, brokenOff]] as const)),
        ]}
      />
    </Section>
  );
}

/** Rows that had this outcome, as they were sent: what was rejected can be corrected and imported again. */
function Results({ imported: { importId, counts, format } }: { imported: Import }) {
  const drover = useDrover();
  const shown = ITEM_STATUSES.filter((status) => counts[status] > 0);
  if (shown.length === 0) return null;
  return (
    <Section title={t.results}>
      <div className="downloads">
        {shown.map((status) => (
          <Download
            key={status}
            name={`${importId}-${status}.${format}`}
            read={() => drover.imports.results(importId, { status })}
          >
            {t.download(strings.itemStatuses[status])} ({number(counts[status])})
          </Download>
        ))}
      </div>
    </Section>
  );
}

const PAGE = 20;

function Batches({ imported }: { imported: Import }) {
  const drover = useDrover();
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const list = useQuery({
    queryKey: ['import-batches', imported.importId, cursors.at(-1)],
    queryFn: ({ signal }) => drover.imports.batches(imported.importId, { limit: PAGE, signal }).page(cursors.at(-1)),
    refetchInterval: isFinished(imported) ? false : REFRESH_MS,
    placeholderData: keepPreviousData,
  });
  const cursor = list.data?.pagination.cursor;
  return (
    <Section
      title={t.batches}
      tools={<span className="muted small">{t.running(imported.batches.running, imported.batches.total)}</span>}
    >
      {list.data === undefined ? (
        <Unloaded query={list} />
      ) : list.data.results.length === 0 ? (
        <p className="muted">{t.noBatches}</p>
      ) : (
        <BatchTable batches={list.data.results} />
      )}
      <div className="paging">
        {cursors.length > 0 && (
          <button className="button button-small" onClick={() => setCursors([])} type="button">
            {strings.paging.first}
          </button>
        )}
        {cursor && (
          <button className="button button-small" onClick={() => setCursors([...cursors, cursor])} type="button">
            {strings.paging.next}
          </button>
        )}
      </div>
    </Section>
  );
}
