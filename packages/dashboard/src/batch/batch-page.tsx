import { type Batch, isFinished } from '@drover/client';
import { schemaNameOf } from '../batches/batch-table.tsx';
import { verbsFor } from '../batches/verbs.ts';
import { Live } from '../live/live.tsx';
import { useLiveBatch } from '../live/use-live.ts';
import { useDrover, useSession } from '../session/drover-context.ts';
import { go, type Place, to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { CopyId } from '../ui/copy-id.tsx';
import { number } from '../ui/format.ts';
import { Facts, PageHead, Section } from '../ui/page.tsx';
import { Notice, Unloaded } from '../ui/states.tsx';
import { CountBar, StatusBadge } from '../ui/status.tsx';
import { Counts } from './counts.tsx';
import { Faults } from './faults.tsx';
import { Items } from './items.tsx';
import { optionFacts } from './options.ts';
import { Timeline } from './timeline.tsx';
import { Undo } from './undo.tsx';
import { Verbs } from './verbs.tsx';
import { Waits } from './waits.tsx';

const { batch: t } = strings;

export function BatchPage({ batchId, place }: { batchId: string; place: Place }) {
  const { query: batch, liveness } = useLiveBatch(batchId);
  if (batch.data === undefined) return <Unloaded query={batch} />;
  return (
    <>
      <Head batch={batch.data} />
      {batch.error && <Notice error={batch.error} />}
      <Section title={t.timeline} tools={<Live liveness={liveness} />}>
        <p className="figure" role="status">
          {t.progress(batch.data.progress.processedRecords, batch.data.progress.totalRecords)}
        </p>
        <CountBar counts={batch.data.counts} isLarge />
        <Counts batch={batch.data} place={place} />
        <Timeline batch={batch.data} />
      </Section>
      {batch.data.counts.pending > 0 && <Waits batch={batch.data} />}
      {batch.data.errors && <Faults errors={batch.data.errors} place={place} />}
      <Items batch={batch.data} place={place} />
      <div className="columns">
        <Section title={t.effects}>
          <Effects batch={batch.data} />
        </Section>
        <Section title={t.options}>
          <Facts facts={optionFacts(batch.data)} />
        </Section>
      </div>
    </>
  );
}

function Head({ batch }: { batch: Batch }) {
  const drover = useDrover();
  const { batchId, status, suspended, operation } = batch;
  return (
    <PageHead
      about={
        <span className="about-line">
          <StatusBadge status={status} suspended={suspended} />
          <CopyId id={batchId} />
          <Related batch={batch} />
          <TemporalLink batchId={batchId} />
        </span>
      }
      title={`${strings.operations[operation]} ${schemaNameOf(batch)}`}
    >
      {isUndoable(batch) && <UndoBatch batchId={batchId} />}
      <Verbs
        act={(verb) => drover.batches[verb](batchId)}
        changed={['batch', batchId]}
        confirm={t.confirm}
        home={['batches']}
        verbs={verbsFor(batch)}
      />
    </PageHead>
  );
}

/** What it changed is kept, and nobody has taken it back. */
const isUndoable = (batch: Batch): boolean =>
  isFinished(batch) && batch.undoneBy === undefined && 'undoable' in batch.options && batch.options.undoable === true;

function UndoBatch({ batchId }: { batchId: string }) {
  const drover = useDrover();
  return (
    <Undo
      preview={(signal) => drover.batches.previewUndo(batchId, { signal })}
      run={async () => go(to(['batches', (await drover.batches.undo(batchId)).batchId]))}
    />
  );
}

/** Links to what it is a part of, takes back, or was taken back by. */
function Related({ batch: { importId, undoneBy, options } }: { batch: Batch }) {
  return (
    <>
      {importId !== undefined && <a href={to(['imports', importId])}>{t.ofImport}</a>}
      {undoneBy !== undefined && <a href={to(['batches', undoneBy])}>{strings.undo.undoneBy}</a>}
      {'undoOf' in options && <a href={to(['batches', options.undoOf])}>{strings.undo.undoOf}</a>}
    </>
  );
}

function TemporalLink({ batchId }: { batchId: string }) {
  const { temporal } = useSession();
  if (temporal === undefined) return null;
  const path = `namespaces/${encodeURIComponent(temporal.namespace)}/workflows/batch-${batchId}`;
  return (
    <a href={`${temporal.uiUrl.replace(/\/$/, '')}/${path}`} rel="noreferrer" target="_blank">
      {t.temporal}
    </a>
  );
}

function Effects({ batch: { actions } }: { batch: Batch }) {
  const effects = Object.entries(actions).filter(([, n]) => n > 0) as [keyof Batch['actions'], number][];
  if (effects.length === 0) return <p className="muted">{t.noEffects}</p>;
  return <Facts facts={effects.map(([action, n]) => [strings.actions[action], number(n)])} />;
}
