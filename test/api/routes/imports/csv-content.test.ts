import { BSON } from 'mongodb';
import { expect, test } from 'vitest';
import { csvOptionsOf, withGoodHeader } from '../../../../api/routes/imports/csv-content.ts';
import { MAX_FAULTS } from '../../../../domain/limits.ts';

async function* content(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

const TARGET = { schema: {}, externalIdField: 'externalId', ignoreUnknownFields: false };

test.each([5_000, 65_000])(
  'a header of %i columns without a name is refused with as many faults as a refusal names',
  async (n) => {
    const refused = withGoodHeader(content(`${','.repeat(n - 1)}\n`), {}, TARGET, true);
    await expect(refused).rejects.toMatchObject({ code: 'invalid_request' });
    const { details } = await refused.catch((error) => error);
    expect(details.errors).toHaveLength(n > 5_000 ? 1 : MAX_FAULTS);
  },
);

test('names of columns that are no names of fields of the store are stored, and found again', () => {
  const names = { 'a\u0000b': 'name', '$a.b': 'size', __proto__x: 'rate' };
  const stored = BSON.deserialize(BSON.serialize(csvOptionsOf(undefined, names)));
  expect(stored).toEqual({ renamed: Object.entries(names) });
});
