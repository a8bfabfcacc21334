import type { Item } from '@drover/client';
import { useDrover } from '../session/drover-context.ts';
import { strings } from '../strings.ts';
import { Download } from '../ui/download.tsx';

const { batch: t } = strings;
const FORMATS = [
  ['CSV', 'csv', 'text/csv'],
  ['NDJSON', 'ndjson', 'application/x-ndjson'],
] as const;

/** The items with their outcomes as a file. */
export function ItemDownloads({ batchId, status }: { batchId: string; status: Item['status'] | undefined }) {
  const drover = useDrover();
  const read = async (accept: string): Promise<ReadableStream<Uint8Array>> => {
    const { response } = await drover.http.GET('/api/batches/{batchId}/items', {
      params: { path: { batchId }, query: status ? { status } : {} },
      headers: { accept },
      parseAs: 'stream',
    });
    if (!response.ok || response.body === null) throw new Error(`${response.status} ${response.statusText}`);
    return response.body;
  };
  return (
    <span className="downloads">
      {FORMATS.map(([label, extension, type]) => (
        <Download key={label} name={`${batchId}${status ? `-${status}` : ''}.${extension}`} read={() => read(type)}>
          <span className="sr-only">{t.downloadAs(label)}</span>
          <span aria-hidden="true">{label}</span>
        </Download>
      ))}
    </span>
  );
}
