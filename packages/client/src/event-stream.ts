/** One event of a stream of server-sent events. */
interface ServerEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/** Longest line that Drover may send, in characters: a stream with a longer line is no event stream. */
const MAX_LINE = 8 * 1024 ** 2;

/**
 * The events of a stream, one after the other; comments are ignored, and so is an event whose end is missing (WHATWG HTML,
 * section 9.2.6). @param onBytes is called whenever bytes arrive. @throws if the connection breaks.
 */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<ServerEvent, void> {
  let fields: Record<string, string> = {};
  let id = '';
  for await (const line of linesOf(body, onBytes)) {
    if (line === '') {
      if (fields.data !== undefined) yield { event: fields.event ?? 'message', id, data: fields.data };
      fields = {};
      continue;
    }
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id') id = value;
    else if (name === 'data') fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`;
    else if (name === 'event') fields.event = value;
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>, onBytes: () => void): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      rest += decoder.decode(value, { stream: true });
      // a CR at the end may be the first half of a CRLF
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE) throw new Error(`a line of the event stream is longer than ${MAX_LINE} characters`);
      yield* lines;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
