import {
  defaultPayloadConverter,
  type Payload,
  type PayloadCodec,
  type SerializationContext,
} from '@temporalio/common';
import { unreadable } from '../workflows/messages.ts';

/**
 * Replaces payloads that a workflow cannot read. A signal can come from any program, in an encoding that the SDK does not know, or
 * encrypted with another key; the workflow task would fail on it again and again, and block its batch, although a signal
 * is only a hint. Drover's own payloads are readable as long as their key is configured: a workflow that cannot read its own input fails
 * its task, which is retried. Inputs and results of activities are always Drover's own, and must be readable.
 */
export class ReadablePayloads implements PayloadCodec {
  readonly #codecs: readonly PayloadCodec[];

  /** @param codecs the other codecs of payloads; decoding applies them from the last to the first. */
  constructor(codecs: readonly PayloadCodec[]) {
    this.#codecs = codecs;
  }

  async encode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    let encoded = payloads;
    for (const codec of this.#codecs) encoded = await codec.encode(encoded, context);
    return encoded;
  }

  async decode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    return Promise.all(payloads.map((payload) => this.#decodeOne(payload, context)));
  }

  async #decodeOne(payload: Payload, context: SerializationContext | undefined): Promise<Payload> {
    let decoded: Payload | undefined = payload;
    try {
      for (const codec of [...this.#codecs].reverse())
        [decoded] = await codec.decode(decoded ? [decoded] : [], context);
    } catch (error) {
      if (context?.type !== 'workflow') throw error;
      return toPayload(error instanceof Error ? error.message : 'a payload could not be decoded');
    }
    return decoded !== undefined && isReadable(decoded) ? decoded : toPayload('a payload has an unknown encoding');
  }
}

const toPayload = (why: string): Payload => defaultPayloadConverter.toPayload(unreadable(why));

function isReadable(payload: Payload): boolean {
  try {
    defaultPayloadConverter.fromPayload(payload);
    return true;
  } catch {
    return false;
  }
}
