import { bodyOf, type ContentFormat, type components, type DroverClient, type ImportOptions } from '@drover/client';
import { keepPreviousData, type UseQueryResult, useQuery } from '@tanstack/react-query';
import { useDrover } from '../session/drover-context.ts';
import { strings } from '../strings.ts';
import { Notice } from '../ui/states.tsx';
import { firstRows } from './first-rows.ts';
import { Outcomes } from './outcomes.tsx';

const { check: t } = strings;

type Preview = components['schemas']['ImportPreview']['data'];
export type FileOptions = ImportOptions & { readonly format: ContentFormat };

/** Media types by format, as a request names them. */
const TYPES = { ndjson: 'application/x-ndjson', csv: 'text/csv' } as const;

async function preview(
  drover: DroverClient,
  file: File,
  { format, columns, ...options }: FileOptions,
  signal: AbortSignal,
): Promise<Preview> {
  const rows = await firstRows(file, format);
  const query = { ...options, ...(columns && { columns: JSON.stringify(columns) }), dryRun: true };
  const { data } = await bodyOf(
    drover.http.POST('/api/imports', {
      params: { query },
      headers: { 'content-type': TYPES[format] },
      body: '',
      bodySerializer: () => rows,
      signal,
    }),
  );
  if ('dryRun' in data) return data;
  throw new Error(t.started);
}

/** What an import would make of the first rows of a file; it is asked anew for each change of an option. */
export function useFilePreview(file: File | null, options: FileOptions | null): UseQueryResult<Preview> {
  const drover = useDrover();
  return useQuery({
    queryKey: ['file-preview', file?.name, file?.size, file?.lastModified, options],
    queryFn: ({ signal }) => {
      if (file === null || options === null) throw new Error('there is nothing to look at');
      return preview(drover, file, options, signal);
    },
    enabled: file !== null && options !== null,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}

/** The outcome of the first rows, and what is wrong with them. */
export function FilePreview({ found }: { found: UseQueryResult<Preview> }) {
  if (found.error) return <Notice error={found.error} />;
  if (!found.data) return null;
  const { faults, rows, isWhole, counts, actions, errors } = found.data;
  return (
    <section aria-label={t.title} className="check">
      <h3>{isWhole ? t.allRows(rows) : t.firstRows(rows)}</h3>
      {faults.length > 0 ? (
        <div className="notice notice-bad" role="alert">
          <p>{t.refused}</p>
          <ul>
            {faults.map((fault) => (
              <li key={fault}>{fault}</li>
            ))}
          </ul>
        </div>
      ) : (
        <Outcomes actions={actions} counts={counts} />
      )}
      {errors.length > 0 && (
        <ul className="examples small">
          {errors.map(({ line, externalId, errors: [first] }) => (
            <li key={line}>
              <span className="muted">{t.line(line)}</span> {externalId !== null && <b>{externalId}</b>}{' '}
              {first && `${first.code}: ${first.message}`}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
