import { expect, test } from 'vitest';
import { Random } from '../../chaos/workload/random.ts';
import { Numbering, RequestMaker } from '../../chaos/workload/request-maker.ts';
import { World } from '../../chaos/workload/world.ts';

test('each body has a text by which the checker knows its request', () => {
  const maker = new RequestMaker('alpha', new World(10), new Random('marks'), new Numbering());
  for (let number = 1; number <= 3000; number++) {
    const body = maker.body(maker.kind(), 'x', `alpha.${number}`, { references: {} });
    const marked = Object.values(body).filter((value) => String(value).startsWith(`alpha.${number}.`));
    expect(marked, JSON.stringify(body)).not.toEqual([]);
  }
});
