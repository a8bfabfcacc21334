import { isJson } from '../../../domain/json/text.ts';
import type { SentRow } from '../../../store/items/sent-rows.ts';

/** What was sent, as JSON: the very text if it is JSON, otherwise a string. */
export const rowText = ({ text, isBody }: Pick<SentRow, 'text' | 'isBody'>): string =>
  isBody || isJson(text) ? text : JSON.stringify(text);
