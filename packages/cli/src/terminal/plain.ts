/** A text of others without control characters, which would move the cursor of this terminal, or do worse. */
export const oneLine = (text: string): string => text.replace(/\p{Cc}/gu, ' ');

/** The same for text of many lines. */
export const manyLines = (text: string): string =>
  text.replace(/\p{Cc}/gu, (control) => (control === '\n' || control === '\t' ? control : ' '));
