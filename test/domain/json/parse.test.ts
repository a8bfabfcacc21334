import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exactJson } from '../../../domain/json/exact.ts';
import { namesOf } from '../../../domain/json/name-order.ts';
import { parseJson } from '../../../domain/json/parse.ts';
import { takeCensus } from '../../../domain/json/source.ts';
import { mergeFields, sameJson, withoutFields } from '../../../domain/json/text.ts';
import type { JsonObject } from '../../../domain/write/resource.ts';
import { cpuMs } from '../../../testkit/measure.ts';
import { anyObjectText } from './any-json.ts';

const json = (text: string): JsonObject => parseJson(text) as JsonObject;

describe('parseJson', () => {
  test('a text is written again as it was read: names in their order, and every number', () => {
    fc.assert(
      fc.property(anyObjectText, (text) => {
        expect(exactJson(parseJson(text))).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test('gives what JSON.parse gives, with white space and escaped names too', () => {
    fc.assert(
      fc.property(anyObjectText, (text) => {
        const indented = JSON.stringify(JSON.parse(text), null, '\t\n ').replaceAll('"1', '"\\u0031');
        expect(parseJson(indented)).toEqual(JSON.parse(indented));
      }),
    );
    expect(exactJson(parseJson('{ "b" : 1, "\\u0032" : [ {"x":1,"\\u0030":"9:"} ], "1":{}}'))).toBe(
      '{"b":1,"2":[{"x":1,"0":"9:"}],"1":{}}',
    );
  });

  test('a member given twice, of another shape each time, is read as JSON.parse reads it', () => {
    const text = '{"a":{"x":[{"2":1,"1":2}]},"a":[{"2":1,"1":2}],"9":0,"a":{"2":{"b":1,"1":2},"1":3}}';
    expect(parseJson(text)).toEqual(JSON.parse(text));
    expect(exactJson(json(text).a)).toBe('{"2":{"b":1,"1":2},"1":3}');
  });

  test('depth costs no stack, and names of megabytes no time', () => {
    const deep = `${'{"2":'.repeat(100_000)}0${'}'.repeat(100_000)}`;
    expect(cpuMs(() => parseJson(deep))).toBeLessThan(2_000);
    const long = `{${Array.from({ length: 100 }, (_, n) => `"${n}${'9'.repeat(50_000)}":"${'8'.repeat(50_000)}"`)}}`;
    expect(cpuMs(() => parseJson(long))).toBeLessThan(2_000);
  });

  test('the census of a text says where it is needed', () => {
    for (const [text, needed] of [
      ['{"a":1,"b":["1"],"c":"2:"}', false],
      ['{"a":{"1":1}}', true],
      ['{"a":{"\\u0031":1}}', true],
    ] as const)
      expect(takeCensus(Buffer.from(text), 100).hasPlaceName).toBe(needed);
  });
});

describe('the order of names', () => {
  test('stays through a merge: fields keep their places, new ones follow', () => {
    const merged = mergeFields(json('{"b":1,"2":2,"a":3}'), json('{"1":9,"a":4,"b":null,"0":5}'));
    expect(exactJson(merged)).toBe('{"2":2,"a":4,"1":9,"0":5}');
    expect(exactJson(mergeFields(json('{"b":1}'), json('{"1":9}')))).toBe('{"b":1,"1":9}');
    expect(exactJson(mergeFields({}, json('{"1":9,"0":null,"a":1}')))).toBe('{"1":9,"a":1}');
  });

  test('stays where fields are left out', () => {
    expect(exactJson(withoutFields(json('{"b":1,"2":2,"a":3,"1":4}'), ['a']))).toBe('{"b":1,"2":2,"1":4}');
  });

  test('is that of JavaScript where no other was sent', () => {
    expect(namesOf({ b: 1, 2: 1 })).toEqual(['2', 'b']);
  });
});

test('-0 is written, and differs from 0 where that is asked for', () => {
  expect(exactJson(parseJson('{"a":[-0,0,-0.0,-0e5,-1]}'))).toBe('{"a":[-0,0,-0,-0,-1]}');
  expect(sameJson({ a: [0] }, { a: [-0] })).toBe(true);
  expect(sameJson({ a: [0] }, { a: [-0] }, Object.is)).toBe(false);
  expect(sameJson({ a: [0], b: 'x' }, { b: 'x', a: [0] }, Object.is)).toBe(true);
});
