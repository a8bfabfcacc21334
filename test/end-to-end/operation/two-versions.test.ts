import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningWorker, startWorker } from '../../../worker/worker.ts';
import { Drover } from '../../harness/drover.ts';

/** Tests the rules of docs/operations.md about rolling deployments. */

const root = join(import.meta.dirname, '../../..');
let folder: string;
let nextBundle: string;
let drover: Drover;
let next: RunningWorker;

beforeAll(async () => {
  // below the repository, so that the copy finds its packages
  await mkdir(join(root, '.drover'), { recursive: true });
  folder = await mkdtemp(join(root, '.drover/next-'));
  for (const part of ['workflows', 'domain']) await cp(join(root, part), join(folder, part), { recursive: true });
  const workflowFile = join(folder, 'workflows/batch.ts');
  const source = await readFile(workflowFile, 'utf8');
  // the next release does something more at the start of each batch, behind a patch
  const changed = source
    .replace(
      / {2}receiveMessages\(progress, isEarlier\);\n/,
      "$&  if (nextPatched('pause-first')) await nextSleep('5 ms');\n",
    )
    .replace(/^/, "import { patched as nextPatched, sleep as nextSleep } from '@temporalio/workflow';\n");
  expect(changed).toContain("if (nextPatched('pause-first'))");
  await writeFile(workflowFile, changed);
  const { code } = await bundleWorkflowCode({ workflowsPath: join(folder, 'workflows/index.ts') });
  nextBundle = join(folder, 'workflows.js');
  await writeFile(nextBundle, code);
  drover = await Drover.start();
  await drover.define('thing', { parent: { $ref: 'reach:schemas/thing' } });
}, 120_000);
afterAll(async () => {
  await next?.stop();
  await drover.stop();
  await rm(folder, { recursive: true });
});

const waitingFor = async (name: string): Promise<string> => {
  const id = await drover.upload('thing', [{ externalId: `${name}-child`, parent: name }], {
    dependencyWaitTimeout: 600,
  });
  await drover.waiting(id);
  return id;
};
const arrives = (name: string): Promise<string> => drover.upload('thing', [{ externalId: name }]);

test('workers of two versions share the batches of both, begun before, between and after, whichever worker is stopped', async () => {
  const before = await waitingFor('before');
  next = await startWorker(drover.config, drover.services.logger, { withRecovery: false, workflowBundle: nextBundle });
  const between = await Promise.all(Array.from({ length: 4 }, (_, n) => waitingFor(`between${n}`)));
  for (let n = 0; n < 2; n++) await drover.ended(await arrives(`between${n}`));
  for (const id of between.slice(0, 2)) expect((await drover.ended(id)).status).toBe('success');
  await drover.stopWorker();
  const after = await waitingFor('after');
  for (const name of ['before', 'after', 'between2', 'between3']) await drover.ended(await arrives(name));
  for (const id of [before, after, ...between]) {
    const batch = await drover.ended(id);
    expect([batch.status, batch.actions.created]).toEqual(['success', 1]);
  }
}, 120_000);
