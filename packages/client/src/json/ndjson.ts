/**
 * The values of newline-delimited JSON, one after the other, in the memory of one line: what `resources.export` and
 * `imports.results` give. @throws SyntaxError for a line that is no JSON.
 */
export async function* parseNdjson<T = unknown>(content: AsyncIterable<Uint8Array | string>): AsyncGenerator<T, void> {
  for await (const line of linesOf(content)) if (line.trim() !== '') yield JSON.parse(line) as T;
}

/** Lines without their LF; a byte order mark is left out. @throws TypeError for bytes that are not UTF-8: replaced, they would be other data. */
export async function* linesOf(content: AsyncIterable<Uint8Array | string>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const piece of content) {
    const text = typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true });
    const lines = text.split('\n');
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? '';
    yield* lines;
  }
  const last = rest + decoder.decode();
  if (last !== '') yield last;
}

/** The pieces of a stream: not every platform can iterate a `ReadableStream` itself. */
export async function* piecesOf<T>(stream: ReadableStream<T>): AsyncGenerator<T, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
