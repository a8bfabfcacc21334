import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { externalIdOf, isExternalId } from '../../../domain/write/external-id.ts';

const codeOf = (body: object, field = 'id') => externalIdOf(body as never, field).faults[0]?.code;

describe('an external id', () => {
  test('that is absent, null or empty is missing; of another type or too long it is invalid', () => {
    expect([{}, { id: null }, { id: '' }].map((body) => codeOf(body))).toEqual(
      Array.from({ length: 3 }, () => 'missing_external_id'),
    );
    const invalid = [{ id: 5 }, { id: false }, { id: ['x'] }, { id: {} }, { id: 'x'.repeat(257) }];
    expect(invalid.map((body) => codeOf(body))).toEqual(invalid.map(() => 'invalid_external_id'));
  });

  test('is the property that the definition names, whatever its name', () => {
    expect(codeOf({}, 'constructor')).toBe('missing_external_id');
    expect(externalIdOf(JSON.parse('{"__proto__":"x"}'), '__proto__')).toEqual({ externalId: 'x', faults: [] });
    expect(externalIdOf({ 'a.b$': 'x' }, 'a.b$').externalId).toBe('x');
  });

  test('is counted in code points, all of them whole', () => {
    expect(isExternalId('😀'.repeat(256))).toBe(true);
    expect(isExternalId('😀'.repeat(257))).toBe(false);
    expect(isExternalId('\ud800')).toBe(false);
    expect(isExternalId('a\udc00')).toBe(false);
    expect(externalIdOf({ id: 'a\udc00' }, 'id').faults).toEqual([
      {
        code: 'invalid_external_id',
        message: '"id" must not hold half of a character (a lone surrogate)',
        field: 'id',
      },
    ]);
  });

  test('is every text of 1 to 256 code points', () => {
    const characters = fc.array(fc.constantFrom('x', '/', '%', ' ', '\u0000', 'é', '\u2028', '😀'), {
      maxLength: 300,
      size: 'max',
    });
    fc.assert(
      fc.property(characters, (text) => {
        expect(isExternalId(text.join(''))).toBe(text.length >= 1 && text.length <= 256);
      }),
    );
  });
});
