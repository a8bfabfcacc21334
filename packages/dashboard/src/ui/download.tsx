import { useMutation } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { messageOf } from './states.tsx';

/** Saves what a request answers as a file: a plain link would be sent without the token. */
export function Download({
  name,
  read,
  children,
}: {
  name: string;
  read: () => Promise<ReadableStream<Uint8Array>>;
  children: ReactNode;
}) {
  const save = useMutation({
    mutationFn: async () => {
      const blob = await new Response((await read()) as ReadableStream<Uint8Array<ArrayBuffer>>).blob();
      const url = URL.createObjectURL(blob);
      const link = document.createElement('a');
      link.href = url;
      link.download = name;
      link.click();
      URL.revokeObjectURL(url);
    },
  });
  return (
    <span className="download">
      <button className="button button-small" disabled={save.isPending} onClick={() => save.mutate()} type="button">
        {save.isPending && <span aria-hidden="true" className="spinner" />}
        {children}
      </button>
      {save.error && (
        <span className="small bad" role="alert">
          {messageOf(save.error)}
        </span>
      )}
    </span>
  );
}
