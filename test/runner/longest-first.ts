import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { GROUPS, LONGEST } from './groups.ts';

const NAMES = GROUPS.map(({ name }) => name);

/**
 * Starts with the chaos run, which takes two minutes of waiting as well; then files with a process of their own, then one subject
 * after the other, so that their processes last as long as they are used; in each the longest first.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const lengthOf = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.indexOf(relative(this.ctx.config.root, moduleId));
      return place === -1 ? LONGEST.length : place;
    };
    const groupOf = (file: TestSpecification): number => NAMES.indexOf(file.project.name);
    return sorted.sort((a, b) => groupOf(a) - groupOf(b) || lengthOf(a) - lengthOf(b));
  }
}
