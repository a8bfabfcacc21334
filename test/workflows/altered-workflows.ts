import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';

/** `patched('marker')`, as the bundle contains it. */
const CALL = /\(0,\s*\w+\.patched\)\('([\w-]+)'\)/g;

/**
 * The workflows with another expression in place of each `patched('…')`, bundled: with `false`, they are those of the version
 * before the change.
 * @param instead an expression, by the marker; undefined leaves the call.
 * @returns the file, and the markers.
 */
export async function alteredWorkflows(
  name: string,
  instead: (marker: string) => string | undefined,
): Promise<{ path: string; markers: ReadonlySet<string> }> {
  const code = await readFile(inject('workflowBundle'), 'utf8');
  const markers = new Set<string>();
  const altered = code.replace(CALL, (call: string, marker: string) => {
    markers.add(marker);
    return instead(marker) ?? call;
  });
  const path = join(tmpdir(), `drover-${process.pid}-${name}.js`);
  await writeFile(path, altered);
  return { path, markers };
}
