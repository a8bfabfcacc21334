import { type ReactNode, useRef } from 'react';

/**
 * A button that opens something below it. It is closed by Escape, and by leaving it.
 * @param label read aloud before the text. @param text on the button.
 */
export function Popover({ label, text, children }: { label: string; text: string; children: ReactNode }) {
  const details = useRef<HTMLDetailsElement>(null);
  const close = (): void => {
    if (details.current) details.current.open = false;
  };
  return (
    <details
      className="popover"
      onBlur={({ relatedTarget, currentTarget }) => {
        if (relatedTarget !== null && !currentTarget.contains(relatedTarget)) close();
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !details.current?.open) return;
        close();
        details.current.querySelector('summary')?.focus();
      }}
      ref={details}
    >
      <summary className="button popover-button">
        <span className="sr-only">{label}: </span>
        <span className="popover-text">{text}</span>
      </summary>
      <div className="popover-body">{children}</div>
    </details>
  );
}
