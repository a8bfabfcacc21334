/**
 * Translates ECMA-262 regular expressions to the syntax of RE2: constructs that the two interpret differently are written out. The pattern is
 * one of ECMA-262 (with the flag `u`, or else as web browsers read it), so that RE2's own syntax (`(?i)`, `\A`, `[[:alpha:]]`)
 * is not accepted; RE2 itself refuses what it does not support (lookaround, back-references).
 * @throws SyntaxError if it is no regular expression of ECMA-262.
 */
export function toRe2(pattern: string): string {
  assertEcma(pattern);
  let result = '';
  let at = 0;
  let isInClass = false;
  while (at < pattern.length) {
    const rest = pattern.slice(at, at + MAX_TOKEN);
    const token = (isInClass ? CLASS_TOKEN : TOKEN).exec(rest)?.[0] ?? String.fromCodePoint(rest.codePointAt(0) ?? 0);
    result += isInClass ? inClass(token) : outside(token);
    if (!isInClass && token.startsWith('[') && token !== '[]' && token !== '[^]') isInClass = true;
    else if (isInClass && token === ']') isInClass = false;
    at += token.length;
  }
  return result;
}

/** White space and line ends of ECMA-262; RE2's `\s` has only those of ASCII. */
const SPACES =
  '\\t\\n\\v\\f\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}';
const NO_SPACES =
  '\\x00-\\x08\\x0e-\\x1f\\x21-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}' +
  '\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}';
const ANY = '[\\x00-\\x{10ffff}]';
const NOTHING = '[^\\x00-\\x{10ffff}]';

/** Longest token: a named property. */
const MAX_TOKEN = 100;
const ESCAPE =
  '\\\\(?:u\\{[0-9a-fA-F]+\\}|u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[a-zA-Z]|[pP]\\{[^}]*\\}|k<[^>]*>|[0-9]+|[^])';
const TOKEN = new RegExp(`^(?:${ESCAPE}|\\[\\^?\\]|\\[\\^?|\\(\\?<(?![=!])|\\(\\?|\\{[0-9]+(?:,[0-9]*)?\\})`, 'u');
const CLASS_TOKEN = new RegExp(`^(?:${ESCAPE})`, 'u');

function assertEcma(pattern: string): void {
  try {
    new RegExp(pattern, 'u');
  } catch (error) {
    // without `u`, as web browsers read it: `\-` is a hyphen
    try {
      new RegExp(pattern);
    } catch {
      throw error;
    }
  }
  // newer engines accept `(?i:…)`: whether a pattern is valid must not depend on the engine
  if (/(?<!\\)(?:\\\\)*\(\?[a-z-]/i.test(pattern.replace(/\[(?:\\[\s\S]|[^\]\\])*\]/g, ''))) {
    throw new SyntaxError('flags inside a pattern are not supported');
  }
}

function outside(token: string): string {
  switch (token) {
    case '.':
      return '[^\\n\\r\\x{2028}\\x{2029}]';
    case '[]':
      return NOTHING;
    case '[^]':
      return ANY;
    case '(?<':
      return '(?P<';
    case '\\s':
      return `[${SPACES}]`;
    case '\\S':
      return `[^${SPACES}]`;
    case '\\b':
    case '\\B':
      return token;
    case '{':
    case '}':
    case ']':
      return `\\${token}`;
    default:
      return token.startsWith('\\') ? escaped(token) : token;
  }
}

function inClass(token: string): string {
  if (token === '[') return '\\[';
  if (token === '\\s') return SPACES;
  if (token === '\\S') return NO_SPACES;
  if (token === '\\b') return '\\x08';
  return token.startsWith('\\') ? escaped(token) : token;
}

/** An escape with the same meaning inside and outside of a class. */
function escaped(token: string): string {
  const kind = token.charAt(1);
  if (/^\\u[dD].*\\u/.test(token)) {
    const [high = 0, low = 0] = token
      .split('\\u')
      .slice(1)
      .map((hex) => Number.parseInt(hex, 16));
    return codePoint((high - 0xd800) * 0x400 + (low - 0xdc00) + 0x10000);
  }
  if (kind === 'u' && token.length > 2) return codePoint(Number.parseInt(token.replace(/[^0-9a-fA-F]/g, ''), 16));
  if (kind === 'x' && token.length > 2) return codePoint(Number.parseInt(token.slice(2), 16));
  if (kind === 'c' && token.length > 2) return codePoint(token.charCodeAt(2) % 32);
  if (token === '\\0') return '\\x00';
  // a back-reference, which RE2 refuses
  if (/^\\[0-9]/.test(token) || kind === 'k') return token;
  if (/^\\[dDwWtnvfr]$/.test(token)) return token;
  if (/^\\[pP]\{/.test(token)) return propertyClass(token);
  const [character = ''] = token.slice(1);
  return /^[a-zA-Z]$/.test(character) ? character : codePoint(character.codePointAt(0) ?? 0);
}

const codePoint = (code: number): string => `\\x{${code.toString(16)}}`;

/** General categories by their long names. */
const CATEGORIES: Readonly<Record<string, string>> = {
  Letter: 'L',
  Uppercase_Letter: 'Lu',
  Lowercase_Letter: 'Ll',
  Titlecase_Letter: 'Lt',
  Modifier_Letter: 'Lm',
  Other_Letter: 'Lo',
  Mark: 'M',
  Combining_Mark: 'M',
  Nonspacing_Mark: 'Mn',
  Spacing_Mark: 'Mc',
  Enclosing_Mark: 'Me',
  Number: 'N',
  Decimal_Number: 'Nd',
  digit: 'Nd',
  Letter_Number: 'Nl',
  Other_Number: 'No',
  Punctuation: 'P',
  punct: 'P',
  Connector_Punctuation: 'Pc',
  Dash_Punctuation: 'Pd',
  Open_Punctuation: 'Ps',
  Close_Punctuation: 'Pe',
  Initial_Punctuation: 'Pi',
  Final_Punctuation: 'Pf',
  Other_Punctuation: 'Po',
  Symbol: 'S',
  Math_Symbol: 'Sm',
  Currency_Symbol: 'Sc',
  Modifier_Symbol: 'Sk',
  Other_Symbol: 'So',
  Separator: 'Z',
  Space_Separator: 'Zs',
  Line_Separator: 'Zl',
  Paragraph_Separator: 'Zp',
  Other: 'C',
  Control: 'Cc',
  cntrl: 'Cc',
  Format: 'Cf',
  Private_Use: 'Co',
};

function propertyClass(token: string): string {
  const [, sign = 'p', body = ''] = /^\\([pP])\{([^}]*)\}$/.exec(token) ?? [];
  const [name = '', value] = body.split('=');
  if (value === undefined) {
    if (name === 'Any') return sign === 'p' ? '\\x00-\\x{10ffff}' : token;
    if (name === 'ASCII') return sign === 'p' ? '\\x00-\\x7f' : '\\x{80}-\\x{10ffff}';
    return `\\${sign}{${CATEGORIES[name] ?? name}}`;
  }
  return `\\${sign}{${CATEGORIES[value] ?? value}}`;
}
