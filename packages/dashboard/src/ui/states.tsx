import { DroverError } from '@drover/client';
import type { ReactNode } from 'react';
import { strings } from '../strings.ts';

const { states: t } = strings;

export function Loading() {
  return (
    <p className="state" role="status">
      <span aria-hidden="true" className="spinner" />
      {t.loading}
    </p>
  );
}

/** @param children what to do about it. */
export function Empty({ title, text, children }: { title: string; text?: string; children?: ReactNode }) {
  return (
    <div className="state">
      <h2>{title}</h2>
      {text && <p className="muted">{text}</p>}
      {children}
    </div>
  );
}

/** A failure in the place of what could not be loaded. */
export function Failed({ error, retry }: { error: unknown; retry: () => void }) {
  const status = error instanceof DroverError ? error.status : undefined;
  if (status === 403) return <Empty text={messageOf(error)} title={t.notAllowed} />;
  return (
    <div className="state" role="alert">
      <h2>{status === 404 ? t.notFound : status === null ? t.noAnswer : t.failed}</h2>
      <Faults error={error} />
      <button className="button" onClick={retry} type="button">
        {t.retry}
      </button>
    </div>
  );
}

/** What a page shows while it has nothing else: why it could not be loaded, or that it is being loaded. */
export function Unloaded({ query }: { query: { readonly error: unknown; refetch(): unknown } }) {
  return query.error ? <Failed error={query.error} retry={() => void query.refetch()} /> : <Loading />;
}

/** A failure beside what has failed. */
export function Notice({ error }: { error: unknown }) {
  return (
    <div className="notice notice-bad" role="alert">
      <Faults error={error} />
    </div>
  );
}

function Faults({ error }: { error: unknown }) {
  const faults = error instanceof DroverError ? error.errors : [];
  return (
    <>
      <p>{messageOf(error)}</p>
      {faults.length > 0 && (
        <ul>
          {faults.map((fault) => (
            <li key={fault}>{fault}</li>
          ))}
        </ul>
      )}
    </>
  );
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
