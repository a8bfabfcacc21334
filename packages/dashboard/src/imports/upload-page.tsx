import type { Place } from '../shell/place.ts';
import { to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { PageHead } from '../ui/page.tsx';
import { FileForm } from './file-form.tsx';
import { PasteForm } from './paste-form.tsx';
import { UploadProgress } from './upload-progress.tsx';
import { useUpload } from './upload-store.ts';

const { upload: t } = strings;
const WAYS = ['file', 'paste'] as const;

/** Resources from a file of any size, or a few of them pasted. */
export function UploadPage({ place }: { place: Place }) {
  const upload = useUpload();
  const way = WAYS.find((each) => each === place.path[1]) ?? 'file';
  return (
    <>
      <PageHead title={t.title} />
      <nav aria-label={t.title} className="tabs">
        {WAYS.map((each) => (
          <a aria-current={each === way ? 'page' : undefined} className="tab" href={to(['upload', each])} key={each}>
            {t[each]}
          </a>
        ))}
      </nav>
      {way === 'paste' ? <PasteForm /> : upload ? <UploadProgress upload={upload} /> : <FileForm />}
    </>
  );
}
