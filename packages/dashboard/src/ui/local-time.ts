/** Values of `<input type="datetime-local">`, which are in the time zone of the browser and have no zone. */

const MINUTE_MS = 60_000;

/** @param iso what is no date is an empty field. */
export function localTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return '';
  return new Date(date.getTime() - date.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}

/** ISO date; empty if the field is. */
export const utcTime = (local: string): string => (local === '' ? '' : new Date(local).toISOString());
