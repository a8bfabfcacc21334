import { isTerminal, terminalStatus } from '../../domain/batch/batch.ts';
import { missingChunk, readPart } from '../../store/imports/import-content.ts';
import { type ImportDocument, scanImports } from '../../store/imports/imports.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { countEndedAnew } from '../imports/count-ended-anew.ts';
import { sumBatches } from '../imports/sum-batches.ts';
import { type Check, checkOf, type IntegrityParts, idsOf, type Suspicion, some } from './check.ts';
import { differing } from './check-batches.ts';

/** Content that is still to be cut, and the numbers of imports that are over. */
export function checkImports(parts: IntegrityParts): Check {
  const { database } = parts;
  const scan = scanImports(database);
  return checkOf(
    scan,
    async (page) => {
      const found: Suspicion[] = [];
      for (const imported of page.filter(({ deletedAt }) => deletedAt === undefined))
        found.push(...(await (isTerminal(imported.status) ? countFaults : contentFaults)(database, imported)));
      return found;
    },
    {
      'import counts differ': async (found) => {
        for (const id of idsOf(found)) await countEndedAnew(parts, id);
      },
    },
  );
}

/** The sum of the batches of an import that is over; null while one of them runs, or once a caller has removed some. */
async function summed(database: Database, imported: ImportDocument) {
  const { finished, waiting, running } = await sumBatches(database, imported._id);
  const isWhole = finished.batches === imported.result?.batches && waiting.batches + running.batches === 0;
  return isWhole ? finished : null;
}

async function countFaults(database: Database, imported: ImportDocument): Promise<Suspicion[]> {
  const { _id: id, run, status, result, completedAt } = imported;
  const sum = await summed(database, imported);
  if (sum === null) return [];
  const ofBatches = terminalStatus(sum.result.counts, status === 'cancelled');
  const differences = [
    ...(ofBatches === status ? [] : [`it is ${status}, by its batches ${ofBatches}`]),
    ...differing(result?.counts, sum.result.counts),
    ...differing(result?.actions, sum.result.actions),
    ...differing(result?.errorCodes, sum.result.errorCodes),
  ];
  if (differences.length === 0) return [];
  const state = `${run}:${status}:${completedAt?.getTime()}`;
  return [{ kind: 'import counts differ', id, state, detail: some(differences) }];
}

/** Content that is all stored, and not all cut: chunks are removed only after their rows are in batches. */
async function contentFaults(database: Database, imported: ImportDocument): Promise<Suspicion[]> {
  const { _id: importId, sealed, cut, parts = 0 } = imported;
  if (!sealed || cut.isAtEnd) return [];
  const lost: string[] = [];
  for (let part = cut.part; part <= parts; part++) {
    const stored = await readPart(database, importId, part);
    const chunk =
      stored &&
      (await missingChunk(database, { importId, part, upload: stored.upload }, fromChunk(cut, part), stored.chunks));
    if (stored === null) lost.push(`part ${part}`);
    else if (chunk !== null) lost.push(`chunk ${chunk} of part ${part}`);
  }
  if (lost.length === 0) return [];
  return [{ kind: 'content lost', id: importId, state: `${imported.run}:${cut.number}`, detail: `no ${some(lost)}` }];
}

const fromChunk = (cut: ImportDocument['cut'], part: number): number => (part === cut.part ? cut.chunk : 0);
