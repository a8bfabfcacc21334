/** Longest name that a message repeats, in characters. */
const MAX_NAME_IN_MESSAGE = 100;

/** The beginning of a text of any length, without half characters. */
export function shortened(text: string, length = 300): string {
  return text.length <= length ? text : `${text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** A name in the form in which messages repeat it. */
export const quoted = (name: string): string => `"${shortened(name, MAX_NAME_IN_MESSAGE)}"`;
