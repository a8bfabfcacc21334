import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type History, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { type ReplayResult, Worker } from '@temporalio/worker';
import { inject } from 'vitest';

/** Recorded histories of workflows, in `test/histories`: later versions of the workflows must replay them. */
const FOLDER = new URL('../histories/', import.meta.url);

/** Whether this run records histories: with `RECORD_HISTORIES=1`. */
export const IS_RECORDING = process.env.RECORD_HISTORIES === '1';

export const historyFiles = (): string[] => readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

/** A recorded history, as JSON. */
export const readHistory = (file: string) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));

/** Writes a history to its file, replacing an earlier one. */
export function writeHistory(name: string, history: History): void {
  const json: unknown = JSON.parse(String(historyToJSON(history)));
  writeFileSync(new URL(`${name}.json`, FOLDER), `${JSON.stringify(json, null, 1)}\n`);
}

/** Replays a history under the present workflows, or under those of another bundle. */
export const replay = (history: unknown, codePath = inject('workflowBundle')): Promise<void> =>
  Worker.runReplayHistory({ workflowBundle: { codePath } }, history, 'batch-replayed');

/** Replays many recorded histories with one worker; each is named by its file. */
export async function* replayAll(files: readonly string[], codePath: string): AsyncGenerator<ReplayResult> {
  const histories = files.map((file) => ({ workflowId: file, history: readHistory(file) }));
  yield* Worker.runReplayHistories({ workflowBundle: { codePath } }, histories);
}

/** A new history replays; where histories are recorded, it is written for later versions. */
export async function expectReplays(name: string, history: History): Promise<void> {
  if (IS_RECORDING) writeHistory(name, history);
  await replay(history);
}
