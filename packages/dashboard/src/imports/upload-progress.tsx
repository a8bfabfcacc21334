import { to } from '../shell/place.ts';
import { strings } from '../strings.ts';
import { bytes } from '../ui/format.ts';
import { Notice } from '../ui/states.tsx';
import { forgetUpload, resumeUpload, stopUpload, type Upload, uploadInEarnest } from './upload-store.ts';

const { upload: t } = strings;

/** How far a file has been sent; its rows are applied meanwhile. */
export function UploadProgress({ upload: { file, sent, importId, state, isCheck, error } }: { upload: Upload }) {
  const text = t.sending(bytes(sent), bytes(file.size));
  const isOpen = state === 'stopped' || state === 'failed';
  return (
    <div className="card form">
      <h2>{file.name}</h2>
      <progress aria-label={text} max={file.size || 1} value={sent} />
      <p role="status">{text}</p>
      {state === 'stopped' && importId !== undefined && <p className="notice">{t.stopped}</p>}
      {state === 'failed' && <Notice error={error} />}
      {state === 'sent' && isCheck && <p className="notice">{t.checked}</p>}
      <div className="row">
        {importId !== undefined && (
          <a className="button button-main" href={to(['imports', importId])}>
            {t.openImport}
          </a>
        )}
        {state === 'sending' && (
          <button className="button" onClick={stopUpload} type="button">
            {t.stop}
          </button>
        )}
        {isOpen && importId !== undefined && (
          <button className="button" onClick={resumeUpload} type="button">
            {t.resume}
          </button>
        )}
        {state === 'sent' && isCheck && (
          <button className="button" onClick={uploadInEarnest} type="button">
            {t.runNow}
          </button>
        )}
        {state !== 'sending' && (
          <button className="button" onClick={forgetUpload} type="button">
            {t.another}
          </button>
        )}
      </div>
    </div>
  );
}
