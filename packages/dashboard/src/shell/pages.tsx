import { type ReactNode, useEffect, useRef } from 'react';
import { BatchPage } from '../batch/batch-page.tsx';
import { BatchesPage } from '../batches/batches-page.tsx';
import { BulkListPage } from '../bulk/bulk-list-page.tsx';
import { BulkPage } from '../bulk/bulk-page.tsx';
import { DataPage } from '../data/data-page.tsx';
import { ResourcePage } from '../data/resource-page.tsx';
import { SchemaPage } from '../data/schema-page.tsx';
import { HealthPage } from '../health/health-page.tsx';
import { ImportPage } from '../imports/import-page.tsx';
import { ImportsPage } from '../imports/imports-page.tsx';
import { UploadPage } from '../imports/upload-page.tsx';
import { strings } from '../strings.ts';
import { Empty } from '../ui/states.tsx';
import { WebhookPage } from '../webhooks/webhook-page.tsx';
import { WebhooksPage } from '../webhooks/webhooks-page.tsx';
import { Navigation } from './navigation.tsx';
import { type Place, to, usePlace } from './place.ts';

const { shell: t } = strings;

/** The frame of every page, and the page of the present place in it. */
export function Pages() {
  const place = usePlace();
  const main = useRef<HTMLElement>(null);
  const path = place.path.join('/');
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    // whoever uses a keyboard or a screen reader is taken to what is new, as if a page had been loaded
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [path]);
  return (
    <>
      <a
        className="skip"
        href={location.hash || '#/'}
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        {t.skip}
      </a>
      <div className="shell">
        <Navigation here={place.path[0] ?? 'batches'} />
        <main id="main" ref={main} tabIndex={-1}>
          {pageAt(place)}
        </main>
      </div>
    </>
  );
}

function pageAt(place: Place): ReactNode {
  const [page = 'batches', first, second] = place.path;
  // each batch, schema and so on begins anew, with nothing of the one before
  const key = place.path.join('\n');
  switch (page) {
    case 'batches':
      return first === undefined ? (
        <BatchesPage place={place} />
      ) : (
        <BatchPage batchId={first} key={key} place={place} />
      );
    case 'bulk':
      return first === undefined ? <BulkListPage place={place} /> : <BulkPage bulkOperationId={first} key={key} />;
    case 'imports':
      return first === undefined ? <ImportsPage place={place} /> : <ImportPage importId={first} key={key} />;
    case 'upload':
      return <UploadPage place={place} />;
    case 'data':
      if (first === undefined) return <DataPage />;
      if (second === undefined) return <SchemaPage key={key} place={place} schema={first} />;
      return <ResourcePage externalId={second} key={key} schema={first} />;
    case 'webhooks':
      return first === undefined ? <WebhooksPage place={place} /> : <WebhookPage key={key} webhookId={first} />;
    case 'health':
      return <HealthPage />;
    default:
      return (
        <Empty title={t.notFound}>
          <a className="button" href={to(['batches'])}>
            {t.home}
          </a>
        </Empty>
      );
  }
}
