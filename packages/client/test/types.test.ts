import { expect, expectTypeOf, test } from 'vitest';
import { openApiDocument } from '../../../api/app.ts';
import { committedTypes, generateTypes } from '../generate-types.ts';
import {
  type Batch,
  createDrover,
  type DroverError,
  type Item,
  type PagedList,
  type ResourceWithIncluded,
} from '../src/index.ts';

const client = createDrover({ url: 'http://localhost' });

test('the committed types are those of the OpenAPI document (npm run client:types)', async () => {
  expect(await committedTypes()).toBe(await generateTypes());
});

test('every schema of the document has a type', () => {
  const open: string[] = [];
  const check = (node: unknown, place: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { type, properties, additionalProperties } = node as Record<string, unknown>;
    if (type === 'object' && properties === undefined && additionalProperties === undefined) open.push(place);
    if (Object.keys(node).length === 0 && !place.endsWith('/additionalProperties')) open.push(place);
    for (const [name, inner] of Object.entries(node)) check(inner, `${place}/${name}`);
  };
  check(openApiDocument().components?.schemas, '');
  expect(open).toEqual([]);
});

test('arguments and results of calls have the types of the document', () => {
  expectTypeOf(client.batches.get).returns.resolves.toEqualTypeOf<Batch>();
  expectTypeOf<Batch['status']>().toEqualTypeOf<
    'queued' | 'processing' | 'waiting' | 'success' | 'partial_success' | 'failed' | 'cancelled'
  >();
  expectTypeOf<Batch['counts']['succeeded']>().toEqualTypeOf<number>();
  expectTypeOf(client.batches.items).returns.toEqualTypeOf<PagedList<Item>>();
  expectTypeOf(client.resources.get).returns.resolves.toEqualTypeOf<ResourceWithIncluded>();
  expectTypeOf<Parameters<typeof client.resources.upload>[2]>().toExtend<
    { readonly onconflict?: 'upsert' | 'reject' } | undefined
  >();
  expectTypeOf<DroverError['status']>().toEqualTypeOf<number | null>();
});

test('calls that are not in the document do not compile', () => {
  const wrong = (): unknown[] => [
    // @ts-expect-error a value that the option does not have
    client.resources.upload('city', [], { onconflict: 'overwrite' }),
    // @ts-expect-error an option of uploads
    client.resources.patch('city', [], { dependencyWaitTimeout: 60 }),
    // @ts-expect-error a status of batches
    client.batches.items('1', { status: 'success' }),
    // @ts-expect-error a path that does not exist
    client.http.GET('/api/batch'),
    // @ts-expect-error a definition without its schema
    client.schemaDefinitions.create({ name: 'city' }),
  ];
  expect(wrong).toBeTypeOf('function');
});
