import { afterAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { ValidationThreads } from '../../../services/definitions/validation-threads.ts';

const threads = new ValidationThreads();
afterAll(() => threads.close());

const list = <T>(length: number, of: (i: number) => T): T[] => Array.from({ length }, (_, i) => of(i));
const object = (a: JsonObject): string => JSON.stringify({ type: 'object', properties: { a } });
const costly = object({ allOf: list(1_200, (i) => ({ items: { minimum: -i } })) });
const faults = (schema: string, a: unknown, owner = 'owner') =>
  threads.faults(owner, schema, 'externalId', JSON.stringify({ externalId: 'x', a }));

describe('validation in a thread', () => {
  it('finds the same faults as in place', async () => {
    expect(await faults(costly, [1, 2])).toEqual([]);
    expect((await faults(costly, [-5000]))[0]).toMatchObject({ code: 'validation', field: '/a/0' });
    expect(await threads.compilationFault('owner', costly, 'externalId')).toBeNull();
  });

  it('ends a validation that takes longer than a second, and continues with the next', async () => {
    const since = performance.now();
    const [late, next] = await Promise.all([
      faults(
        costly,
        list(190_000, (i) => i),
      ),
      faults(costly, [3]),
    ]);
    expect(late).toMatchObject([{ code: 'validation', message: expect.stringMatching(/takes longer than 1 s/) }]);
    expect(next).toEqual([]);
    expect(performance.now() - since).toBeLessThan(20_000);
  });

  it('ends a validation that takes too much memory, and continues with the next', async () => {
    const unique = object({ uniqueItems: true });
    const late = await faults(
      unique,
      list(700_000, (i) => ({ a: { b: { c: i } } })),
    );
    expect(late).toMatchObject([
      { code: 'validation', message: expect.stringMatching(/takes (longer|too much memory)/) },
    ]);
    expect(await faults(unique, [1, 1])).toMatchObject([{ code: 'validation', field: 'a' }]);
  });

  it('lets at most one slow item of a tenant precede an item of another tenant', async () => {
    const order: string[] = [];
    const ask = async (owner: string, a: readonly number[]) => {
      order.push(`${owner} ${(await faults(costly, a, owner)).length}`);
    };
    // other items than those of the tests before, whose results are cached
    const late = (n: number) => list(190_000, (i) => i + n);
    await Promise.all([...list(3, (n) => ask('costly', late(n + 1))), ...list(2, (n) => ask('cheap', [n]))]);
    // each of the slow ones was ended after its second; each other item waited for the running one and at most one more
    expect(order).toEqual(['costly 1', 'costly 1', 'cheap 0', 'costly 1', 'cheap 0']);
  }, 180_000);

  it('serves tenants with waiting requests alternately', async () => {
    const order: string[] = [];
    const ask = async (owner: string, n: number) => {
      await faults(costly, [n, owner.length], owner);
      order.push(owner);
    };
    await Promise.all([...list(6, (n) => ask('many', 100 + n)), ask('one', 1)]);
    expect(order.indexOf('one')).toBeLessThan(3);
  });
});
