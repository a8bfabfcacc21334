import type { DroverClient, ImportFileOptions } from '@drover/client';
import { useSyncExternalStore } from 'react';

/** A file that is being sent. It goes on while other pages are looked at. */
export interface Upload {
  readonly file: File;
  readonly sent: number;
  readonly importId: string | undefined;
  readonly state: 'sending' | 'stopped' | 'sent' | 'failed';
  readonly error: unknown;
}

type Options = Pick<
  ImportFileOptions,
  'schema' | 'format' | 'operation' | 'onconflict' | 'ignoreUnknownFields' | 'dependencyWaitTimeout' | 'label'
>;

const listeners = new Set<() => void>();
let current: Upload | null = null;
let stop = new AbortController();
let again: (() => void) | null = null;

function set(next: Upload | null): void {
  current = next;
  for (const listener of listeners) listener();
}

function change(changes: Partial<Upload>): void {
  if (current !== null) set({ ...current, ...changes });
}

/** Sends a file in parts, in the memory of a few of them. @param resume the import that it was begun as. */
export async function startUpload(drover: DroverClient, file: File, options: Options, resume?: string): Promise<void> {
  stop = new AbortController();
  again = () => {
    if (current?.importId !== undefined) void startUpload(drover, file, options, current.importId);
  };
  set({ file, sent: 0, importId: resume, state: 'sending', error: null });
  try {
    await drover.import(file, {
      ...options,
      ...(resume !== undefined && { resume }),
      signal: stop.signal,
      onStart: (importId) => change({ importId }),
      onProgress: (sent) => change({ sent }),
    });
    change({ state: 'sent', sent: file.size });
  } catch (error) {
    if (stop.signal.aborted) change({ state: 'stopped' });
    else change({ state: 'failed', error });
  }
}

export const stopUpload = (): void => stop.abort();
/** Sends what is missing of the same file to the same import. */
export const resumeUpload = (): void => again?.();
export const forgetUpload = (): void => set(null);

// a closed tab sends nothing more
addEventListener('beforeunload', (event) => {
  if (current?.state === 'sending') event.preventDefault();
});

function onUpload(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const useUpload = (): Upload | null => useSyncExternalStore(onUpload, () => current);
