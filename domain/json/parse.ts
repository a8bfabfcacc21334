import { keepOrder } from './name-order.ts';
import { closingQuote, stringIn } from './source.ts';

/** A name that begins with a digit, escaped or not. */
const PLACE_NAME = /"(?:\d|\\u003\d)+"\s*:/;

/**
 * The value of a JSON text, as `JSON.parse` gives it; where JavaScript would list names in another order than the text, `namesOf`
 * has the order of the text. Depth costs memory, not stack.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (PLACE_NAME.test(text)) keepOrders(text, value);
  return value;
}

/** An object or array of the text that is being read, and the step to the value in it that comes next. */
interface Frame {
  readonly value: unknown;
  /** Names so far; null in an array. */
  readonly names: Set<string> | null;
  step: string | number;
  expectsName: boolean;
}

/** @param value the value of the text. */
function keepOrders(text: string, value: unknown): void {
  const frames: Frame[] = [];
  for (let at = 0; at < text.length; at++) {
    const top = frames.at(-1);
    switch (text[at]) {
      case '{':
        frames.push({ value: nextIn(top, value), names: new Set(), step: '', expectsName: true });
        break;
      case '[':
        frames.push({ value: nextIn(top, value), names: null, step: 0, expectsName: false });
        break;
      case '}':
        if (isFrameOf(top)) keepOrder(top.value, [...top.names]);
        frames.pop();
        break;
      case ']':
        frames.pop();
        break;
      case ',':
        if (typeof top?.step === 'number') top.step += 1;
        else if (top !== undefined) top.expectsName = true;
        break;
      case '"': {
        const end = closingQuote(text, at);
        if (top?.expectsName) {
          top.step = stringIn(text.slice(at + 1, end));
          top.names?.add(top.step);
          top.expectsName = false;
        }
        at = end;
        break;
      }
    }
  }
}

/** The value that begins here. Of a member that is given twice, the parser has kept the last: then it may be of another shape. */
function nextIn(frame: Frame | undefined, root: unknown): unknown {
  if (frame === undefined) return root;
  const { value, step } = frame;
  return typeof value === 'object' && value !== null && Object.hasOwn(value, step)
    ? (value as Record<string | number, unknown>)[step]
    : undefined;
}

/** Whether the names of a frame are those of its value. */
const isFrameOf = (frame: Frame | undefined): frame is Frame & { value: object; names: Set<string> } =>
  frame?.names !== null &&
  typeof frame?.value === 'object' &&
  frame.value !== null &&
  !Array.isArray(frame.value) &&
  Object.keys(frame.value).length === frame.names.size;
