import { EventSourceParserStream } from 'eventsource-parser/stream';

/** Longest event that Drover may send, in characters: a stream with a longer one is no event stream. */
const MAX_EVENT = 8 * 1024 ** 2;

/** One event of a stream of server-sent events. */
interface ServerEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/**
 * The events of a stream, one after the other; comments are ignored, and so is an event whose end is missing (WHATWG HTML,
 * section 9.2.6). @param onBytes is called whenever bytes arrive. @throws if the connection breaks.
 */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<ServerEvent, void> {
  const seen = new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>({
    transform(bytes, controller) {
      onBytes();
      controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
    },
  });
  const parser = new EventSourceParserStream({ maxBufferSize: MAX_EVENT });
  const reader = body.pipeThrough(seen).pipeThrough(new TextDecoderStream()).pipeThrough(parser).getReader();
  let id = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // the last id counts for all events that follow
      id = value.id ?? id;
      yield { event: value.event ?? 'message', id, data: value.data };
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
