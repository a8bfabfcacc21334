import fc from 'fast-check';
import { exactJson } from '../../../domain/json/exact.ts';

/** JSON texts of any shape, with names and numbers that JavaScript, BSON or MongoDB treat in a way of their own. */

const oddName = fc.constantFrom(
  ...['', ' ', '.', 'a.b', '.a', 'a.', '$', '$set', '$ref', '$id', '$db', 'a$b', '\\', '\\0', '\\$', '\\\\', '\\$a'],
  ...[
    '\0',
    'a\0b',
    '\0$',
    '$\0',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'length',
    'toJSON',
    'toBSON',
  ],
  ...[
    '_bsontype',
    '_id',
    'id',
    '0',
    '1',
    '2',
    '10',
    '01',
    '-1',
    '1.5',
    '1e3',
    '4294967294',
    '4294967295',
    '9007199254740993',
  ],
  ...['é', '你', '😀', '\u2028', '\ufeff', '\u007f', 'x'.repeat(300)],
);
const name = fc.oneof(
  { weight: 3, arbitrary: oddName },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 5 }) },
  { weight: 1, arbitrary: fc.nat(30).map(String) },
);
const numberText = fc
  .oneof(
    fc.constantFrom(-0, 0, 0.5, -0.5, 5e-324, -5e-324, 1.7e308, Number.MAX_VALUE, 2 ** 31, 2 ** 31 - 1, -(2 ** 31)),
    fc.constantFrom(-(2 ** 31) - 1, 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 53 - 1, 2 ** 63, 1e21, 1e22, 1e23, 0.1, 1e-7),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.maxSafeInteger(),
  )
  .map(exactJson);
const scalarText = fc.oneof(
  numberText,
  fc.constantFrom('null', 'true', 'false', '""', JSON.stringify('\0'), JSON.stringify('\0a\0')),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => JSON.stringify(text)),
);

const { object } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalarText, tie('object'), tie('array')),
  object: fc
    .uniqueArray(fc.tuple(name, tie('value')), { selector: ([one]) => one, maxLength: 8 })
    .map((members) => `{${members.map(([one, inner]) => `${JSON.stringify(one)}:${inner}`).join(',')}}`),
  array: fc.array(tie('value'), { maxLength: 6 }).map((items) => `[${items.join(',')}]`),
}));

/** Texts of objects, without white space. */
export const anyObjectText = object;
