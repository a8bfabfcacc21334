import * as fc from 'fast-check';

/** Values that an attacker sends to break the service. */

export const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '.',
  '..',
  '$',
  '$where',
  '$ne',
  '$gt',
  '$set',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '__defineGetter__',
  'a.b.c',
  '.a',
  'a.',
  '$a.$b',
  '{"$gt":""}',
  '{"$ne":null}',
  'sleep(5000)',
  'x\u0000y',
  '\u0000',
  '\u0001\u001b[31m',
  '\ud800',
  'a\udfffb',
  '\udc00\ud800',
  '\u202eabc',
  '\ufeff',
  'é',
  'e\u0301',
  'İ',
  'ß',
  '😀',
  '👩‍👩‍👧‍👦',
  '../../etc/passwd',
  '..\\..\\boot.ini',
  '%00',
  '%2e%2e%2f',
  '%',
  '%zz',
  '%E0%A4%A',
  "' OR 1=1 --",
  "'; DROP TABLE batches; --",
  '" OR WorkflowType="x',
  "x' OR WorkflowId != '",
  '\\',
  '"',
  "'",
  '`',
  '\n',
  '\r\nSet-Cookie: a=b',
  '\t',
  '<script>alert(1)</script>',
  '{{7*7}}',
  '=1+1',
  '@SUM(1)',
  'null',
  'undefined',
  'NaN',
  '-1',
  '-0',
  '0',
  '1',
  '1e309',
  '9007199254740993',
  '0x10',
  '1.5',
  'true',
  'false',
  '[]',
  '{}',
  '[object Object]',
  'reach:schemas/',
  'drover:schemas/thing',
  'drover-recovery',
  'batch-',
  'default',
  'count',
  'statistics',
  'delete',
  'a'.repeat(257),
  'b'.repeat(5_000),
  '/'.repeat(50),
  '(a+)+$',
  '(?=x)',
  '\\1',
  '[',
  '(((((((((((((((a',
  '01900000-0000-7000-8000-000000000000',
  '01900000-0000-7000-8000-00000000000Z',
  'x'.repeat(128),
  '２',
  '٣',
];

/** Keys that have a meaning in JavaScript, MongoDB or JSON Schema. */
const HOSTILE_KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'length',
  'then',
  'toJSON',
  '$where',
  '$ne',
  '$gt',
  '$set',
  '$oid',
  '$date',
  '$numberLong',
  '_bsontype',
  '_id',
  '',
  '.',
  'a.b',
  '$',
  'x\u0000y',
  '\ud800',
  'externalId',
  'name',
  'tags',
  'parent',
];

/** `JSON.stringify` writes `__proto__` of an object only if it is an own property. */
function ownEntries(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [key, value] of entries)
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  return object;
}

export const hostileText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE_TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
);

const hostileScalar = fc.oneof(
  hostileText,
  fc.constantFrom<unknown>(null, true, false, 0, -0, -1, 1.5, 1e308, -1e308, 5e-324, 2 ** 53, 2 ** 63, 1e21),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

/** Any JSON, with keys and texts of the kinds above. */
export const hostileJson: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    hostileScalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(fc.constantFrom(...HOSTILE_KEYS), hostileText), tie('value')), { maxLength: 5 })
      .map(ownEntries),
  ),
})).value;

/** A resource that is nearly right for the type of the fuzz test. */
export const nearlyResource = fc
  .record(
    {
      externalId: fc.oneof(
        { weight: 2, arbitrary: fc.constantFrom('a', 'b', 'c', 'd') },
        { weight: 1, arbitrary: hostileScalar },
      ),
      name: fc.oneof(hostileText, hostileJson),
      parent: fc.oneof(fc.constantFrom<unknown>('a', 'b', 'c', null), hostileJson),
      tags: fc.oneof(fc.array(fc.constantFrom('a', 'b', 'z')), hostileJson),
      code: fc.oneof(fc.constantFrom('aaaa', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'), hostileText),
      __proto__: hostileJson,
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  .chain((resource) =>
    hostileJson.map((more) =>
      fairlyOften(more) ? ownEntries([...Object.entries(resource), ...Object.entries(more)]) : resource,
    ),
  );

const fairlyOften = (more: unknown): more is object =>
  typeof more === 'object' && more !== null && !Array.isArray(more);

const KEYWORDS = [
  'type',
  'properties',
  'items',
  'additionalProperties',
  'patternProperties',
  'pattern',
  'enum',
  'const',
  '$ref',
  '$id',
  '$schema',
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'definitions',
  '$defs',
  'required',
  'format',
  'minimum',
  'multipleOf',
  'maxLength',
  'dependencies',
  'dependentSchemas',
  'propertyNames',
  'contains',
  'uniqueItems',
  'prefixItems',
  '$dynamicRef',
  '$recursiveRef',
  '$anchor',
  'nullable',
] as const;

const keywordValue = fc.constantFrom<unknown>(
  'object',
  'string',
  'array',
  ['string', 'null'],
  '#',
  '#/definitions/a',
  '#/properties/a',
  'reach:schemas/thing',
  'drover:schemas/nobody',
  'reach:schemas/',
  'http://example.com/schema',
  'file:///etc/passwd',
  '(a+)+$',
  '(a|a)*b',
  '(?=a)',
  'a{1,1000}{1,1000}',
  '[',
  'email',
  'regex',
  'no-such-format',
  0,
  -1,
  1e-300,
  1e308,
  true,
  false,
  null,
  [],
  {},
  [{}],
  { a: { $ref: '#' } },
  { a: { type: 'string' } },
  'http://json-schema.org/draft-04/schema#',
  'https://json-schema.org/draft/2020-12/schema',
);

/** A JSON Schema that is nearly right. */
export const nearlySchema: fc.Arbitrary<unknown> = fc.letrec<{ schema: unknown }>((tie) => ({
  schema: fc
    .array(
      fc.tuple(
        fc.oneof({ weight: 6, arbitrary: fc.constantFrom<string>(...KEYWORDS) }, { weight: 1, arbitrary: hostileText }),
        fc.oneof(
          { maxDepth: 3, depthSize: 'small' },
          keywordValue,
          tie('schema'),
          fc.array(tie('schema'), { maxLength: 3 }),
          fc
            .array(fc.tuple(fc.constantFrom('a', 'b', ...HOSTILE_KEYS), tie('schema')), { maxLength: 3 })
            .map(ownEntries),
        ),
      ),
      { maxLength: 5 },
    )
    .map(ownEntries),
})).schema;
