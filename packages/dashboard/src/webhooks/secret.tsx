import { strings } from '../strings.ts';
import { CopyId } from '../ui/copy-id.tsx';
import { Dialog } from '../ui/dialog.tsx';

const { webhooks: t } = strings;

/** The secret that deliveries are signed with: the service shows it once. */
export function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Dialog onClose={onClose} title={t.secret}>
      <p>{t.secretText}</p>
      <p className="code">
        <CopyId id={secret} />
      </p>
      <div className="dialog-foot">
        <button className="button button-main" onClick={onClose} type="button">
          {t.secretDone}
        </button>
      </div>
    </Dialog>
  );
}
