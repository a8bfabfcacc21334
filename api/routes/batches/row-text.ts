import { isJson } from '../../../domain/json/text.ts';
import type { SentRow } from '../../../store/items/sent-rows.ts';

/** What was sent, as JSON: the very text if it is JSON, otherwise a string. Where that was noted, no row is parsed to find out. */
export const rowText = ({ text, isJson: isNotedJson }: Pick<SentRow, 'text' | 'isJson'>): string =>
  (isNotedJson ?? isJson(text)) ? text : JSON.stringify(text);
