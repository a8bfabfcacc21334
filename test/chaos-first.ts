import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Starts the chaos run first: a bare clone knows no times of earlier runs, and begun last it goes on when all others are done. */
export class ChaosFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isChaos = ({ moduleId }: TestSpecification) => moduleId.endsWith('/test/chaos.test.ts');
    return [...sorted.filter(isChaos), ...sorted.filter((file) => !isChaos(file))];
  }
}
