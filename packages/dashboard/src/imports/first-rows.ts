import type { ContentFormat } from '@drover/client';
import { wholeRows } from './whole-rows.ts';

/** How much of a file is looked at before it is sent, in bytes: enough for a thousand rows of a kilobyte. */
const LOOKED_AT = 1024 ** 2;

/** The beginning of a file, in whole rows: all of a short one, and of a long one as far as it is looked at. */
export async function firstRows(file: Blob, format: ContentFormat): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await file.slice(0, LOOKED_AT).arrayBuffer());
  return file.size <= LOOKED_AT ? bytes : wholeRows(bytes, format);
}
