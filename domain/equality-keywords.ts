import type { Ajv } from 'ajv';
import { canonicalText } from './json-text.ts';
import type { JsonValue } from './resource.ts';

/**
 * Replaces Ajv's `enum`, `const` and `uniqueItems`: its own compare each value with each other, which takes quadratic time, and
 * trip over fields called `valueOf`. These look a value up by its text.
 */
export function addEqualityKeywords(ajv: Ajv): void {
  for (const keyword of ['enum', 'const', 'uniqueItems']) ajv.removeKeyword(keyword);
  ajv.addKeyword({
    keyword: 'enum',
    schemaType: 'array',
    compile: (values: JsonValue[]) => {
      const allowed = new Set(values.map(canonicalText));
      return (data: JsonValue) => allowed.has(canonicalText(data));
    },
    error: { message: 'must be one of the allowed values' },
  });
  ajv.addKeyword({
    keyword: 'const',
    compile: (value: JsonValue) => {
      const allowed = canonicalText(value);
      return (data: JsonValue) => canonicalText(data) === allowed;
    },
    error: { message: 'must be the one allowed value' },
  });
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    compile: (unique: boolean) => (data: JsonValue[]) =>
      !unique || new Set(data.map(canonicalText)).size === data.length,
    error: { message: 'must not have two equal items' },
  });
}
