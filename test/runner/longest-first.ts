import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { GROUPS, LONGEST } from './groups.ts';

const NAMES = GROUPS.map(({ name }) => name);

/**
 * Order of the files: those with a process of their own before those that share one, and these one subject after the other, so that each shared process
 * lives only as long as it is used. In each group the longest file is first.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const lengthOf = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.indexOf(relative(this.ctx.config.root, moduleId));
      return place === -1 ? LONGEST.length : place;
    };
    const groupOf = ({ project }: TestSpecification): number =>
      project.config.isolate ? -1 : NAMES.indexOf(project.name);
    return sorted.sort((a, b) => groupOf(a) - groupOf(b) || lengthOf(a) - lengthOf(b));
  }
}
