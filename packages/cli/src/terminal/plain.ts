/** A text of others without control characters, which would move the cursor of this terminal, or do worse. */
export const oneLine = (text: string): string => text.replace(/\p{Cc}/gu, ' ');

/** The same for text of many lines. */
export const manyLines = (text: string): string =>
  text.replace(/\p{Cc}/gu, (control) => (control === '\n' || control === '\t' ? control : ' '));

/** One line of ours, whose colours stay. */
export const withColours = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of terminals
  text.replace(/\x1b\[\d{1,2}m|\p{Cc}/gu, (control) => (control.length > 1 ? control : ' '));

/** JSON, the same value, without control characters: JSON itself leaves some of them as they are. */
export const jsonText = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
