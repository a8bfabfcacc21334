/** Half of a character: UTF-8 cannot represent it, and MongoDB stores another character in its place. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;
const REPLACEMENT = '\ufffd';

export const hasLoneSurrogate = (text: string): boolean => LONE_SURROGATE.test(text);

/** A text that can be stored and sent: each half of a character is replaced by the replacement character. */
export const wellFormed = (text: string): string => text.replace(LONE_SURROGATES, REPLACEMENT);
