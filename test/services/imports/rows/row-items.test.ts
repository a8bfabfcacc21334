import { expect, test } from 'vitest';
import { rowText } from '../../../../api/routes/batches/row-text.ts';
import { csvFormatOf } from '../../../../domain/imports/csv.ts';
import { rowItem } from '../../../../services/imports/rows/row-items.ts';

const end = { part: 1, chunk: 0, offset: 0 };
const rowOf = (bytes: Uint8Array, cells?: readonly string[]) => ({
  line: 7,
  bytes,
  end,
  nextLine: 8,
  isTooLong: false,
  ...(cells && { cells }),
});
const target = { csv: undefined, externalIdField: 'externalId', isDelete: false };

test.each([
  ['a resource', '{"externalId":"a"}', target, undefined],
  ['a resource with its schema', '{"schema":"city","resource":{"externalId":"a"}}', { ...target, isNamed: true }, true],
  ['a schema that is none', '{"schema":"none","resource":{"externalId":"a"}}', { ...target, isNamed: false }, true],
  ['an external id to delete', '"a"', { ...target, isDelete: true }, true],
  ['JSON that is no resource', '[1]', target, true],
  ['no JSON', '{"externalId":', target, false],
  ['JSON but for its encoding', Buffer.from([0x22, 0xe9, 0x22]), target, false],
])('whether a row is JSON is noted when it is read: %s', (_, row, of, isJson) => {
  const item = rowItem(rowOf(Buffer.from(row)), of);
  expect(item.isSentJson).toBe(isJson);
  const text = Buffer.from(row).toString();
  expect(item.sent ?? item.body).toBe(text);
  const answered = rowText({ text, isJson: isJson ?? true });
  expect(answered).toBe(isJson === false ? JSON.stringify(text) : text);
});

test('a row of CSV is no JSON, whatever it looks like', () => {
  const csv = csvFormatOf(Buffer.from('externalId'), {}, null).format;
  expect(rowItem(rowOf(Buffer.from('5'), ['5']), { ...target, csv })).toMatchObject({ sent: '5', isSentJson: false });
});
