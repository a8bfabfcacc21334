import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { DroverError } from '../../domain/errors.ts';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SECRET_BYTES = 32;
/** The mark of a secret that is stored as it is: where no key is configured, outside of production. */
const PLAIN = 'plain';
const SEALED = 'aes';

/** A secret as Standard Webhooks writes it. */
export const newSecret = (): string => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;

const keyId = (key: Uint8Array): string => createHash('sha256').update(key).digest('hex').slice(0, 16);

/**
 * Encrypts the secrets of webhooks before they are stored (AES-256-GCM). The first key encrypts, all decrypt. A secret is bound to its webhook: put into another one's
 * document, it cannot be decrypted.
 */
export class SecretBox {
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #isProduction: boolean;

  constructor({
    keys = [],
    isProduction,
  }: { readonly keys?: readonly Uint8Array[] | undefined; isProduction: boolean }) {
    this.#keys = new Map(keys.map((key) => [keyId(key), key]));
    this.#isProduction = isProduction;
  }

  /** @throws DroverError `operation_not_allowed` without a key in production. */
  assertReady(): void {
    if (this.#keys.size > 0 || !this.#isProduction) return;
    throw new DroverError(
      'operation_not_allowed',
      'webhooks are not set up: the operator has to configure DROVER_WEBHOOK_KEY, with which their secrets are encrypted',
    );
  }

  seal(webhookId: string, secret: string): string {
    this.assertReady();
    const [first] = this.#keys;
    if (first === undefined) return `${PLAIN}:${secret}`;
    const [id, key] = first;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(webhookId));
    const data = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${SEALED}:${id}:${data.toString('base64')}`;
  }

  /** @throws if the key is not configured here, or the text was changed. */
  open(webhookId: string, sealed: string): string {
    const [kind, id = '', text = ''] = sealed.split(':');
    if (kind === PLAIN) return sealed.slice(PLAIN.length + 1);
    const key = this.#keys.get(id);
    if (kind !== SEALED || key === undefined) throw new Error(`the key ${id} is not in DROVER_WEBHOOK_KEY`);
    const bytes = Buffer.from(text, 'base64');
    const end = bytes.byteLength - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(webhookId)).setAuthTag(bytes.subarray(end));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, end)), decipher.final()]).toString('utf8');
  }
}
