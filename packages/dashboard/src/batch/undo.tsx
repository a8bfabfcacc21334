import type { UndoPreview } from '@drover/client';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { strings } from '../strings.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Loading, Notice } from '../ui/states.tsx';
import { PreviewedItems } from './previewed-items.tsx';

const { undo: t } = strings;

/** Of an import there are no items in it: they may be millions. */
type Preview = Pick<UndoPreview, 'counts'> & Partial<Pick<UndoPreview, 'items' | 'itemsTotal'>>;

/**
 * A button that takes back what something has changed, after it has said what that would do.
 * @param preview what the undo would do now. @param run starts it, and shows it.
 */
export function Undo({
  preview,
  run,
}: {
  preview: (signal: AbortSignal) => Promise<Preview>;
  run: () => Promise<void>;
}) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      <button className="button" onClick={() => setIsOpen(true)} type="button">
        {t.button}
      </button>
      {isOpen && <UndoDialog onClose={() => setIsOpen(false)} preview={preview} run={run} />}
    </>
  );
}

function UndoDialog({ preview, run, onClose }: Parameters<typeof Undo>[0] & { onClose: () => void }) {
  const found = useQuery({ queryKey: ['undo-preview'], queryFn: ({ signal }) => preview(signal), gcTime: 0 });
  const undo = useMutation({ mutationFn: run });
  return (
    <Dialog isWide onClose={onClose} title={t.title}>
      <p>{t.text}</p>
      {found.error ? <Notice error={found.error} /> : found.data ? <Effects preview={found.data} /> : <Loading />}
      {undo.error && <Notice error={undo.error} />}
      <div className="dialog-foot">
        <button className="button" onClick={onClose} type="button">
          {strings.dialog.back}
        </button>
        <button
          className="button button-danger"
          disabled={!found.data?.counts.succeeded || undo.isPending}
          onClick={() => undo.mutate()}
          type="button"
        >
          {t.confirm}
        </button>
      </div>
    </Dialog>
  );
}

function Effects({ preview: { counts, items = [], itemsTotal = items.length } }: { preview: Preview }) {
  const kept = counts.skipped + counts.failed + counts.pending;
  return (
    <>
      <p className="figure" role="status">
        {counts.succeeded + kept === 0 ? t.nothing : t.reverted(counts.succeeded)}
        {kept > 0 && ` · ${t.kept(kept)}`}
      </p>
      <PreviewedItems items={items.filter(({ status }) => status !== 'succeeded')} />
      {itemsTotal > items.length && <p className="small muted">{t.firstOnly(items.length)}</p>}
    </>
  );
}
