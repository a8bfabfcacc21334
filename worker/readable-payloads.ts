import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';

/** What a workflow is given in place of a payload that it could not read. */
const UNREADABLE: Payload = defaultPayloadConverter.toPayload('unreadable');

/**
 * Lets workflows read every payload that reaches them. A signal can come from any program, in an encoding that the SDK does not
 * know; the workflow task would fail on it, again and again, and with it everything that its batch does (contract section 4:
 * a signal is a hint). What is ours is always readable.
 */
export class ReadablePayloads implements PayloadCodec {
  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads;
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => (isReadable(payload) ? payload : UNREADABLE));
  }
}

function isReadable(payload: Payload): boolean {
  try {
    defaultPayloadConverter.fromPayload(payload);
    return true;
  } catch {
    return false;
  }
}
