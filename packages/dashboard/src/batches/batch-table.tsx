import type { Batch } from '@drover/client';
import { to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { number, shortId } from '../ui/format.ts';
import { CountBar, StatusBadge } from '../ui/status.tsx';
import { Lasted, Moment } from '../ui/time.tsx';

const { batches: t } = strings;

/** @param onSelect absent: nothing can be selected. */
export function BatchTable({
  batches,
  selected = new Set(),
  onSelect,
}: {
  batches: readonly Batch[];
  selected?: ReadonlySet<string>;
  onSelect?: (selected: ReadonlySet<string>) => void;
}) {
  const toggle = (batchId: string): void => {
    const next = new Set(selected);
    if (!next.delete(batchId)) next.add(batchId);
    onSelect?.(next);
  };
  const isAll = batches.length > 0 && batches.every(({ batchId }) => selected.has(batchId));
  return (
    <div className="table-frame">
      <table className="table batch-table">
        <thead>
          <tr>
            {onSelect && (
              <th className="cell-select" scope="col">
                <input
                  aria-label={t.selectAll}
                  checked={isAll}
                  onChange={() => onSelect(new Set(isAll ? [] : batches.map(({ batchId }) => batchId)))}
                  type="checkbox"
                />
              </th>
            )}
            <th scope="col">{t.columns.batch}</th>
            <th scope="col">{t.columns.status}</th>
            <th scope="col">{t.columns.progress}</th>
            <th className="cell-time" scope="col">
              {t.columns.created}
            </th>
            <th className="cell-time" scope="col">
              {t.columns.duration}
            </th>
          </tr>
        </thead>
        <tbody>
          {batches.map((batch) => (
            <Row
              batch={batch}
              isSelected={selected.has(batch.batchId)}
              key={batch.batchId}
              toggle={onSelect && (() => toggle(batch.batchId))}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ batch, isSelected, toggle }: { batch: Batch; isSelected: boolean; toggle: (() => void) | undefined }) {
  const { batchId, status, suspended, counts, progress, createdAt, completedAt } = batch;
  return (
    <tr className={isSelected ? 'is-selected' : undefined}>
      {toggle && (
        <td className="cell-select">
          <input aria-label={t.select(batchId)} checked={isSelected} onChange={toggle} type="checkbox" />
        </td>
      )}
      <td className="cell-name">
        <a className="row-link" href={to(['batches', batchId])}>
          {strings.operations[batch.operation]} <b>{schemaNameOf(batch)}</b>
          <span className="mono muted small" title={batchId}>
            {shortId(batchId)}
          </span>
        </a>
      </td>
      <td className="cell-status">
        <StatusBadge status={status} suspended={suspended} />
      </td>
      <td className="cell-bar">
        <CountBar counts={counts} />
        <span className="small muted nowrap">
          {number(progress.processedRecords)} / {number(progress.totalRecords)}
        </span>
      </td>
      <td className="cell-time muted">
        <Moment at={createdAt} />
      </td>
      <td className="cell-time muted">
        <Lasted from={createdAt} until={completedAt} />
      </td>
    </tr>
  );
}

/** A termination of executions has none. */
export function schemaNameOf({ schemaName, schemaDefinitionId }: Batch): string {
  if (schemaName !== null) return schemaName || strings.missingSchema;
  return schemaDefinitionId === null ? strings.noSchema : strings.missingSchema;
}
