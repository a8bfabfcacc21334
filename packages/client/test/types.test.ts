import { expect, expectTypeOf, test } from 'vitest';
import { openApiDocument } from '../../../api/app.ts';
import { committedTypes, generateTypes } from '../generate-types.ts';
import { type Batch, createClient, type DroverError, type Item, type PagedList, type Resource } from '../src/index.ts';

const client = createClient({ baseUrl: 'http://localhost' });

test('the committed types are those of the OpenAPI document (npm run client:types)', async () => {
  expect(await committedTypes()).toBe(await generateTypes());
});

test('no schema of the document leaves open what it is', () => {
  const open: string[] = [];
  const look = (node: unknown, place: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { type, properties, additionalProperties } = node as Record<string, unknown>;
    if (type === 'object' && properties === undefined && additionalProperties === undefined) open.push(place);
    if (Object.keys(node).length === 0 && !place.endsWith('/additionalProperties')) open.push(place);
    for (const [name, inner] of Object.entries(node)) look(inner, `${place}/${name}`);
  };
  look(openApiDocument().components?.schemas, '');
  expect(open).toEqual([]);
});

test('what calls take and give is typed by the document', () => {
  expectTypeOf(client.batches.get).returns.resolves.toEqualTypeOf<Batch>();
  expectTypeOf<Batch['status']>().toEqualTypeOf<
    'queued' | 'processing' | 'waiting' | 'success' | 'partial_success' | 'failed' | 'cancelled'
  >();
  expectTypeOf<Batch['counts']['succeeded']>().toEqualTypeOf<number>();
  expectTypeOf(client.batches.items).returns.toEqualTypeOf<PagedList<Item>>();
  expectTypeOf(client.resources.get).returns.resolves.toEqualTypeOf<Resource>();
  expectTypeOf<Parameters<typeof client.resources.upload>[2]>().toExtend<
    { readonly onconflict?: 'upsert' | 'reject' } | undefined
  >();
  expectTypeOf<DroverError['status']>().toEqualTypeOf<number | null>();
});

test('what the document does not have does not compile', () => {
  const wrong = (): unknown[] => [
    // @ts-expect-error a word that is none of the option's
    client.resources.upload('city', [], { onconflict: 'overwrite' }),
    // @ts-expect-error an option of uploads
    client.resources.patch('city', [], { dependencyWaitTimeout: 60 }),
    // @ts-expect-error a status of batches
    client.batches.items('1', { status: 'success' }),
    // @ts-expect-error a path that is not there
    client.http.GET('/api/batch'),
    // @ts-expect-error a definition without its schema
    client.schemaDefinitions.create({ name: 'city' }),
  ];
  expect(wrong).toBeTypeOf('function');
});
