import type { Batch } from '@drover/client';
import { memo } from 'react';
import { to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { number, shortId } from '../ui/format.ts';
import { CountBar, StatusBadge } from '../ui/status.tsx';
import { Lasted, Moment } from '../ui/time.tsx';

const { batches: t } = strings;

/** The batches that are selected, and how that is changed: `toggle` stays the same function. */
interface Selection {
  readonly selected: ReadonlySet<string>;
  readonly select: (selected: ReadonlySet<string>) => void;
  readonly toggle: (batchId: string) => void;
}

/** @param selection absent: nothing can be selected. */
export function BatchTable({ batches, selection }: { batches: readonly Batch[]; selection?: Selection }) {
  const isAll = batches.length > 0 && batches.every(({ batchId }) => selection?.selected.has(batchId));
  return (
    <div className="table-frame">
      <table className="table batch-table">
        <thead>
          <tr>
            {selection && (
              <th className="cell-select" scope="col">
                <input
                  aria-label={t.selectAll}
                  checked={isAll}
                  onChange={() => selection.select(new Set(isAll ? [] : batches.map(({ batchId }) => batchId)))}
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
              isSelected={selection?.selected.has(batch.batchId) === true}
              key={batch.batchId}
              toggle={selection?.toggle}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  readonly batch: Batch;
  readonly isSelected: boolean;
  readonly toggle: ((batchId: string) => void) | undefined;
}

/** A batch that has not changed is the same object as in the answer before, and is not drawn again. */
const Row = memo(function Row({ batch, isSelected, toggle }: RowProps) {
  const { batchId, status, suspended, counts, progress, createdAt, completedAt } = batch;
  return (
    <tr className={isSelected ? 'is-selected' : undefined}>
      {toggle && (
        <td className="cell-select">
          <input aria-label={t.select(batchId)} checked={isSelected} onChange={() => toggle(batchId)} type="checkbox" />
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
});

/** A termination of executions has none. */
export function schemaNameOf({ schemaName, schemaDefinitionId }: Batch): string {
  if (schemaName !== null) return schemaName || strings.missingSchema;
  return schemaDefinitionId === null ? strings.noSchema : strings.missingSchema;
}
