import { type CipherGCM, createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { Config } from './config.ts';

// imported as a whole: Node finds no named exports in it
const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

const CIPHER = 'aes-256-gcm';
/** Length of the nonce and of the tag, in bytes (NIST SP 800-38D). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** The name that Temporal's own samples use; codec servers rely on it. */
const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';

/** Name of a key, which does not reveal the key: the beginning of its hash. */
const keyId = (key: Uint8Array): string => createHash('sha256').update(key).digest('hex').slice(0, 16);

/**
 * Encrypts payloads in Temporal with AES-256-GCM: inputs, results, signals, queries, memos, summaries and details. The first
 * key encrypts, all decrypt. Unencrypted payloads pass unchanged, so that a key can be introduced while batches run.
 * @internal exported for tests, which check it by itself
 */
export class EncryptionCodec implements PayloadCodec {
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #current: string;

  /** @param keys of 32 bytes each, at least one. */
  constructor(keys: readonly Uint8Array[]) {
    this.#keys = new Map(keys.map((key) => [keyId(key), key]));
    const [current] = this.#keys.keys();
    if (current === undefined) throw new Error('encryption needs a key');
    this.#current = current;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => this.#encrypt(payload));
  }

  /** @throws if a payload was encrypted with an unknown key, or was changed. */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => this.#decrypt(payload));
  }

  #encrypt(payload: Payload): Payload {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key(this.#current), nonce) as CipherGCM;
    const plain = PayloadMessage.encode(payload).finish();
    const data = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    return { metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(this.#current) }, data };
  }

  #decrypt(payload: Payload): Payload {
    const { metadata, data } = payload;
    if (textOf(metadata?.encoding) !== ENCODING) return payload;
    const bytes = data ?? new Uint8Array();
    if (bytes.byteLength < NONCE_BYTES + TAG_BYTES) throw new Error('an encrypted payload is too short');
    const end = bytes.byteLength - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, this.#key(textOf(metadata?.[KEY_ID])), bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAuthTag(bytes.subarray(end));
    const plain = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, end)), decipher.final()]);
    return PayloadMessage.decode(plain);
  }

  #key(id: string): Uint8Array {
    const key = this.#keys.get(id);
    if (key === undefined)
      throw new Error(`a payload was encrypted with key ${id.slice(0, 64)}, which is not in DROVER_PAYLOAD_KEY`);
    return key;
  }
}

const textOf = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('utf8');

/** How clients and workers convert data: encrypted if keys are configured. */
export function dataConverter({ DROVER_PAYLOAD_KEY: keys }: Config) {
  return keys === undefined ? {} : { payloadCodecs: [new EncryptionCodec(keys)] };
}
