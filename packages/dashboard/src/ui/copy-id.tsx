import { useState } from 'react';
import { strings } from '../strings.ts';
import { Icon } from './icons.tsx';

const SHOWN_MS = 1_500;

/** An id that is copied by a click. */
export function CopyId({ id }: { id: string }) {
  const [isCopied, setIsCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(id);
    setIsCopied(true);
    setTimeout(() => setIsCopied(false), SHOWN_MS);
  };
  return (
    <button className="copy mono" onClick={() => void copy()} title={strings.copy} type="button">
      <span>{id}</span>
      {isCopied && <Icon name="check" />}
      <span className="sr-only" role="status">
        {isCopied ? strings.copied : ''}
      </span>
    </button>
  );
}
