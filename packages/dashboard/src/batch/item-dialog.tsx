import type { Batch, Item } from '@drover/client';
import { to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Json } from '../ui/json.tsx';
import { Facts } from '../ui/page.tsx';
import { ItemBadge } from '../ui/status.tsx';

const { batch: t } = strings;

/** One item with all that is known of it. */
export function ItemDialog({ batch, item, onClose }: { batch: Batch; item: Item; onClose: () => void }) {
  const { index, externalId, status, action, errors = [], missingDependencies = [], missingTotal, attempts } = item;
  const more = (missingTotal ?? missingDependencies.length) - missingDependencies.length;
  const hasResource = externalId !== null && batch.schemaDefinitionId !== null && status === 'succeeded';
  return (
    <Dialog isWide onClose={onClose} title={t.item(index)}>
      <Facts
        facts={[
          [
            t.itemColumns.externalId,
            <span className="mono" key="id">
              {externalId ?? t.noExternalId}
            </span>,
          ],
          [t.itemColumns.status, <ItemBadge key="status" status={status} />],
          ...(action === undefined ? [] : ([[t.effects, strings.actions[action]]] as const)),
          [t.attempts, attempts],
        ]}
      />
      {errors.map(({ code, message, field }) => (
        <div className="notice notice-bad" key={`${code} ${message}`}>
          <p>
            <code>{code}</code> {field !== undefined && <span className="muted">{`${t.field} ${field}`}</span>}
          </p>
          <p>{message}</p>
          <p className="muted">{strings.cures[code]}</p>
        </div>
      ))}
      {missingDependencies.length > 0 && (
        <>
          <h3>{t.missing}</h3>
          <ul className="plain">
            {missingDependencies.map(({ schemaName, externalId: missing }) => (
              <li key={`${schemaName} ${missing}`}>
                <span className="muted">{schemaName}</span> <span className="mono">{missing}</span>
              </li>
            ))}
            {more > 0 && <li className="muted">{t.moreMissing(more)}</li>}
          </ul>
        </>
      )}
      {item.resource !== undefined && (
        <>
          <h3>{t.sent}</h3>
          <Json label={t.sent} value={item.resource} />
        </>
      )}
      {hasResource && action !== 'deleted' && (
        <p className="dialog-foot">
          <a className="button" href={to(['data', batch.schemaName ?? batch.schemaDefinitionId ?? '', externalId])}>
            {t.openResource}
          </a>
        </p>
      )}
    </Dialog>
  );
}
