import { RE2JS } from 're2js';
import { MAX_INSTRUCTIONS_PER_PATTERN, MAX_PATTERN_LENGTH } from '../limits.ts';
import { toRe2 } from './ecma-regex.ts';

interface LinearRegex {
  test(text: string): boolean;
  /** Instructions of its automaton. */
  readonly size: number;
  /** The pattern: Ajv distinguishes expressions by it. */
  toString(): string;
}

/**
 * A regular expression that takes time linear in its input, whatever the pattern (RE2): a hostile `pattern` cannot block a
 * worker. It has the syntax and meaning of ECMA-262, without lookaround and back-references; a repetition counts to 1,000.
 * @throws if the pattern is not supported.
 */
function linearRegex(pattern: string): LinearRegex {
  if (pattern.length > MAX_PATTERN_LENGTH) throw new Error(`longer than ${MAX_PATTERN_LENGTH} characters`);
  return compiled(pattern, toRe2(pattern));
}

/** The same for a schema that was accepted while patterns were read as RE2 does: a pattern that is not valid in ECMA-262 keeps its old meaning. */
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

/** The size of a valid pattern; 0 for any other. */
export function patternSize(pattern: string): number {
  const examined = examinePattern(pattern);
  return 'size' in examined ? examined.size : 0;
}

/** The size of a pattern, or a short reason why it is no linear regular expression. */
export function examinePattern(pattern: string): { size: number } | { fault: string } {
  try {
    return { size: linearRegex(pattern).size };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fault: reason.replace(/^error parsing regexp: /, '').slice(0, 200) };
  }
}
