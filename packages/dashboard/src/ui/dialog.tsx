import { type ReactNode, useEffect, useId, useRef } from 'react';
import { strings } from '../strings.ts';
import { Icon } from './icons.tsx';

/** A modal dialog; the browser keeps the focus in it, and closes it with Escape. It is open as long as it is rendered. */
export function Dialog({
  title,
  onClose,
  children,
  isWide = false,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
  isWide?: boolean;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    if (element !== null && !element.open) element.showModal();
    return () => {
      element?.close();
      // the browser gives the focus back only if the dialog is still in the page
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      aria-labelledby={titleId}
      className={isWide ? 'dialog dialog-wide' : 'dialog'}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      ref={dialog}
    >
      <header className="dialog-head">
        <h2 id={titleId}>{title}</h2>
        <button aria-label={strings.dialog.close} className="button button-quiet" onClick={onClose} type="button">
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}

/** Asks before something is done that cannot be taken back. */
export function Confirm({
  title,
  text,
  verb,
  isDangerous,
  isPending,
  onConfirm,
  onClose,
  children,
}: {
  title: string;
  text: string;
  verb: string;
  isDangerous: boolean;
  isPending: boolean;
  onConfirm: () => void;
  onClose: () => void;
  children?: ReactNode;
}) {
  return (
    <Dialog onClose={onClose} title={title}>
      <p>{text}</p>
      {children}
      <div className="dialog-foot">
        <button className="button" onClick={onClose} type="button">
          {strings.dialog.back}
        </button>
        <button
          className={isDangerous ? 'button button-danger' : 'button button-main'}
          disabled={isPending}
          onClick={onConfirm}
          type="button"
        >
          {verb}
        </button>
      </div>
    </Dialog>
  );
}
