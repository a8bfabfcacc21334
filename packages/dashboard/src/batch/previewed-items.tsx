import type { components } from '@drover/client';
import { strings } from '../strings.ts';
import { ItemBadge } from '../ui/status.tsx';

type PreviewedItem = Pick<
  components['schemas']['PreviewedItem'],
  'index' | 'externalId' | 'status' | 'errors' | 'missingDependencies'
>;

/** Items that are shown: who has thousands of faults has few causes. */
const SHOWN = 50;

/** Items with what would become of them, and why. */
export function PreviewedItems({ items }: { items: readonly PreviewedItem[] }) {
  if (items.length === 0) return null;
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard */}
      <section aria-label={strings.check.items} className="previewed" tabIndex={0}>
        <ul>
          {items.slice(0, SHOWN).map((item) => (
            <li key={item.index}>
              <span className="mono">{item.externalId ?? strings.batch.item(item.index)}</span>
              <ItemBadge status={item.status} />
              <span className="small muted">{reasonOf(item)}</span>
            </li>
          ))}
        </ul>
      </section>
      {items.length > SHOWN && <p className="small muted">{strings.batch.moreMissing(items.length - SHOWN)}</p>}
    </>
  );
}

function reasonOf({ errors = [], missingDependencies = [] }: PreviewedItem): string {
  if (errors.length > 0) return errors.map(({ code, message }) => `${code}: ${message}`).join('; ');
  return missingDependencies.map(({ schemaName, externalId }) => `${schemaName} ${externalId}`).join(', ');
}
