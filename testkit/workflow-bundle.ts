import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** Bundles the workflows once for all workers of a run. @param sources folder of the sources. @param modules interceptors of workflows. @returns the file in `folder`. */
export async function bundleWorkflows(
  sources: string,
  folder: string,
  modules: readonly string[] = [],
): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(sources, 'workflows/index.ts'),
    workflowInterceptorModules: [...modules],
    logger: new DefaultLogger('ERROR'),
  });
  const file = join(folder, 'workflows.js');
  await writeFile(file, code);
  return file;
}
