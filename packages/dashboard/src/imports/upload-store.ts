import type { ContentFormat, DroverClient, ImportOptions } from '@drover/client';
import { useSyncExternalStore } from 'react';
import { onCredentials } from '../session/session-store.ts';

/** A file that is being sent. It goes on while other pages are looked at. */
export interface Upload {
  readonly file: File;
  readonly sent: number;
  readonly importId: string | undefined;
  readonly state: 'sending' | 'stopped' | 'sent' | 'failed';
  /** Its rows are only checked. */
  readonly isCheck: boolean;
  readonly error: unknown;
}

type Options = ImportOptions & { readonly format: ContentFormat };

const listeners = new Set<() => void>();
let current: Upload | null = null;
let stop = new AbortController();
let again: (() => void) | null = null;
let inEarnest: (() => void) | null = null;

function set(next: Upload | null): void {
  current = next;
  for (const listener of listeners) listener();
}

/** @param mine whose upload it is: another one may have begun since, or nobody's be left. */
function change(mine: AbortController, changes: Partial<Upload>): void {
  if (current !== null && mine === stop) set({ ...current, ...changes });
}

/** Nothing waits while rows are only checked, and there is nothing to undo. */
const checking = ({ dependencyWaitTimeout: _, undoable: __, ...options }: Options): Options => ({
  ...options,
  validateOnly: true,
});

interface Way {
  /** Rows are only checked. */
  readonly isCheck: boolean;
  /** The import that it was begun as. */
  readonly resume?: string;
}

/** Sends a file in parts, in the memory of a few of them. */
export async function startUpload(drover: DroverClient, file: File, options: Options, way: Way): Promise<void> {
  const { isCheck, resume } = way;
  const mine = new AbortController();
  stop = mine;
  again = () => {
    if (current?.importId !== undefined) void startUpload(drover, file, options, { isCheck, resume: current.importId });
  };
  inEarnest = () => void startUpload(drover, file, options, { isCheck: false });
  set({ file, sent: 0, importId: resume, state: 'sending', isCheck, error: null });
  try {
    await drover.import(file, {
      ...(isCheck ? checking(options) : options),
      ...(resume !== undefined && { resume }),
      signal: mine.signal,
      onStart: (importId) => change(mine, { importId }),
      onProgress: (sent) => change(mine, { sent }),
    });
    change(mine, { state: 'sent', sent: file.size });
  } catch (error) {
    if (mine.signal.aborted) change(mine, { state: 'stopped' });
    else change(mine, { state: 'failed', error });
  }
}

export const stopUpload = (): void => stop.abort();
/** Sends what is missing of the same file to the same import. */
export const resumeUpload = (): void => again?.();
/** Sends the same file again, whose rows were only checked, to be applied. */
export const uploadInEarnest = (): void => inEarnest?.();
export const forgetUpload = (): void => set(null);

// nothing is sent for a user who has left, or to a tenant that is no longer looked at
onCredentials(() => {
  stop.abort();
  stop = new AbortController();
  again = null;
  inEarnest = null;
  set(null);
});

// a closed tab sends nothing more
addEventListener('beforeunload', (event) => {
  if (current?.state === 'sending') event.preventDefault();
});

function onUpload(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const useUpload = (): Upload | null => useSyncExternalStore(onUpload, () => current);
