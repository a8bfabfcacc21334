import { RE2JS } from 're2js';
import { MAX_INSTRUCTIONS_PER_PATTERN, MAX_PATTERN_LENGTH } from '../limits.ts';
import { toRe2 } from './ecma-regex.ts';

interface LinearRegex {
  test(text: string): boolean;
  /** Instructions of its automaton. */
  readonly size: number;
  /** The pattern: Ajv tells expressions apart by it. */
  toString(): string;
}

/**
 * A regular expression that takes time linear in its input, whatever the pattern (RE2): a hostile `pattern` cannot hold up a
 * worker. The syntax and meaning of ECMA-262, without lookaround and back-references; a repetition counts to 1,000.
 * @throws where the pattern cannot be done that way.
 */
function linearRegex(pattern: string): LinearRegex {
  if (pattern.length > MAX_PATTERN_LENGTH) throw new Error(`longer than ${MAX_PATTERN_LENGTH} characters`);
  return compiled(pattern, toRe2(pattern));
}

/** The same for a schema that was accepted while patterns were read as RE2 does: one that is none of ECMA-262 means what it did. */
export function storedRegex(pattern: string): LinearRegex {
  try {
    return linearRegex(pattern);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return compiled(pattern, RE2JS.translateRegExp(pattern));
  }
}

function compiled(pattern: string, translated: string): LinearRegex {
  const regex = RE2JS.compile(translated);
  const size = regex.programSize();
  if (size > MAX_INSTRUCTIONS_PER_PATTERN) throw new Error('repeats too much');
  return { test: (text) => regex.test(text), size, toString: () => pattern };
}

/** The size of a pattern that is known to be one; 0 for any other. */
export function patternSize(pattern: string): number {
  const examined = examinePattern(pattern);
  return 'size' in examined ? examined.size : 0;
}

/** The size of a pattern, or why it is no linear regular expression, in a few words. */
export function examinePattern(pattern: string): { size: number } | { fault: string } {
  try {
    return { size: linearRegex(pattern).size };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fault: reason.replace(/^error parsing regexp: /, '').slice(0, 200) };
  }
}
