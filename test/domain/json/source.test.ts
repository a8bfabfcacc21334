import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exactJson } from '../../../domain/json/exact.ts';
import { countMembers, findFlaws, takeCensus } from '../../../domain/json/source.ts';
import { cpuMs } from '../../../testkit/measure.ts';

const flawsOf = (text: string) =>
  findFlaws(text, JSON.parse(text), takeCensus(Buffer.from(text), Number.POSITIVE_INFINITY));

describe('takeCensus', () => {
  test('counts the members of the value, whatever its names and strings contain', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const census = takeCensus(Buffer.from(JSON.stringify(value, null, indent)), Number.POSITIVE_INFINITY);
        expect(census.members).toBe(countMembers(JSON.parse(JSON.stringify(value))));
      }),
    );
  });

  test('counts objects, arrays and members, and stops above the maximum', () => {
    expect(takeCensus(Buffer.from('{"a":[{"b":"{:["},[]],"c":1}'), 100).parts).toBe(7);
    expect(takeCensus(Buffer.from(`[${'{},'.repeat(1_000_000)}{}]`), 100).parts).toBe(101);
  });
});

describe('findFlaws', () => {
  test('finds no flaw in the JSON of answers: an answer can be sent back, and is the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), (value) => {
        const text = exactJson(value);
        expect([flawsOf(text), JSON.parse(text)]).toEqual([[], value]);
      }),
    );
  });

  test('finds no flaw in any double that answers contain', () => {
    // for integers above 2^53 JSON.stringify writes the shortest digits that give the same double, which may differ from the exact value
    const double = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ min: 2 ** 53, max: 1e22, noNaN: true }),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(Number),
      fc.constantFrom(1e23, 1e21, 2 ** 53, 2 ** 63, 2 ** 64, Number.MAX_VALUE, 5e-324),
    );
    fc.assert(
      fc.property(double, (number) => {
        const text = exactJson({ n: [number], '12345678901234567891': `${number}"${number}` });
        expect(flawsOf(text)).toEqual([]);
        expect(JSON.parse(text).n[0] + 0).toBe(number + 0);
        expect(JSON.parse(text)['12345678901234567891']).toBe(`${number}"${number}`);
      }),
      { numRuns: 2_000 },
    );
    expect(exactJson([12345678901234567000, -12345678901234567000, 1e23])).toBe(
      '[12345678901234567168,-12345678901234567168,1e+23]',
    );
  });

  test.each([
    ['{"a":"\\ud800"}', ['a'], 'holds half of a character (a lone surrogate)'],
    ['{"a":["x",{"b":"\\uDC00\\ud83d\\ude00"}]}', ['a', 1, 'b'], 'holds half of a character (a lone surrogate)'],
    ['{"a":"\\ud83d\\ud83d\\ude00"}', ['a'], 'holds half of a character (a lone surrogate)'],
    ['{"a":"\\ud83dx\\ude00"}', ['a'], 'holds half of a character (a lone surrogate)'],
    ['{"a":{"x\\udfff":1}}', ['a', 'x\ufffd'], 'holds half of a character (a lone surrogate) in its name'],
  ])('half of a character, which MongoDB would store as another: %s', (text, path, message) => {
    expect(flawsOf(text)).toEqual([{ path, message }]);
  });

  test.each(['"\\ud83d\\ude00"', '"\\\\ud800"', '"\\u00e9\\ue000\\ud7ff"', '{"\\uD83D\\uDE00":"\\n\\\\"}'])(
    'a whole character is no flaw, however it is written: %s',
    (text) => {
      expect([flawsOf(text), takeCensus(Buffer.from(text), 100).hasHalfCharacter]).toEqual([[], false]);
    },
  );

  test('of millions of flaws in one place one is reported, in little time', () => {
    const text = `{"resources":[{"externalId":"a","n":[${'"\\ud800",9007199254740993,'.repeat(400_000)}1]}]}`;
    const json: unknown = JSON.parse(text);
    const census = takeCensus(Buffer.from(text), 500_000);
    expect(cpuMs(() => expect(findFlaws(text, json, census)).toHaveLength(1))).toBeLessThan(1_000);
  });

  test('the pass over the bytes sees half a character exactly if a string has one', () => {
    const unit = fc.constantFrom('\ud800', '\udbff', '\udc00', '\udfff', '\\', '"', 'u', 'd800', '\n', 'é', '😀');
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 8 }), (units) => {
        const string = units.join('');
        const { hasHalfCharacter } = takeCensus(Buffer.from(JSON.stringify([string])), 100);
        expect(hasHalfCharacter).toBe(/\p{Surrogate}/u.test(string));
      }),
    );
  });

  test.each([
    ['{"a":1,"a":1}', ['a']],
    ['{"a":1,"\\u0061":2}', ['a']],
    ['{"x":[{},{"b":{"c":1,"d":{"c":1},"c":2}}]}', ['x', 1, 'b', 'c']],
    ['{"":1,"":2}', ['']],
    ['{"__proto__":1,"__proto__":2}', ['__proto__']],
    ['[[1,{"a":":","a":"\\":"}]]', [0, 1, 'a']],
    ['{"a\\"b":1 , "a\\"b" : 2}', ['a"b']],
  ])('a member that is given twice, with its place: %s', (text, path) => {
    expect(flawsOf(text)).toEqual([{ path, message: 'is given twice' }]);
  });

  test.each([
    '9007199254740993',
    '-9007199254740993',
    '18446744073709551615',
    '123456789012345678901234567890',
    '1'.repeat(300),
  ])('an integer that would be rounded: %s', (literal) => {
    const [flaw, ...others] = flawsOf(`{"a":["${literal}",[${literal}]]}`);
    expect([flaw?.path, others]).toEqual([['a', 1, 0], []]);
    expect(flaw?.message).toContain(`cannot hold exactly: ${literal.slice(0, 40)}`);
  });

  test.each(['1e400', '-1e400', '1.5E+309', '1'.repeat(400), '9'.repeat(309)])(
    'a number that is infinite: %s',
    (literal) => {
      expect(flawsOf(literal)).toEqual([{ path: [], message: expect.stringMatching(/^is too large a number: /) }]);
    },
  );

  test.each([
    '9007199254740991',
    '-9007199254740991',
    '9007199254740992',
    '9007199254740994',
    '18014398509481984',
    '1e22',
    '1e23',
    '1e308',
    '1e-400',
    '0.1',
    '3.141592653589793238462643',
    '100000000000000000000',
    '"9007199254740993"',
    '{"9007199254740993":"1e400"}',
    '"{\\"a\\":1,\\"a\\":2}"',
  ])('what a double holds, a fraction, or a text is none: %s', (literal) => {
    expect(flawsOf(literal)).toEqual([]);
  });

  test('an integer is a flaw exactly if it is read as another number', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
        (integer) => flawsOf(`[${integer}]`).length > 0 === (BigInt(Number(integer)) !== integer),
      ),
    );
  });

  test('reports the first flaw of each entry, for any number of entries', () => {
    const entry = `{"a":1,"a":2,"b":1,"b":2}`;
    const flaws = flawsOf(`{"resources":[${Array.from({ length: 1000 }, () => entry).join(',')}]}`);
    expect(flaws.map(({ path }) => path)).toEqual(Array.from({ length: 1000 }, (_, n) => ['resources', n, 'a']));
  });

  test('finds flaws at any depth', () => {
    const depth = 100_000;
    expect(flawsOf(`${'{"a":'.repeat(depth)}{"b":1,"b":2}${'}'.repeat(depth)}`)[0]?.path).toHaveLength(depth + 1);
  });

  test('reports the first flaw of each entry below a name of megabytes, without repeating the name', () => {
    const name = 'N'.repeat(5_000_000);
    const text = `{"${name}":[${Array.from({ length: 1_900 }, () => '{"a":1,"a":1}').join(',')}]}`;
    // with the whole name in every flaw, the answer would have 9.5 GB
    const flaws = flawsOf(text);
    expect(flaws).toHaveLength(1_900);
    expect(flaws.at(-1)?.path.slice(1)).toEqual([1_899, 'a']);
    expect(String(flaws.at(-1)?.path[0]).length).toBeLessThan(400);
  });

  test('reports one flaw for each place, however often a member is repeated', () => {
    expect(flawsOf('{"a":{"x":1,"x":2,"x":3},"b":1,"b":2,"a":{"x":9007199254740993}}').map(({ path }) => path)).toEqual(
      [['a', 'x'], ['b'], ['a']],
    );
  });
});
