import { DroverError } from '../../domain/errors.ts';
import type { Config } from '../../process/config.ts';

const tooMuch = (message: string): DroverError => new DroverError('too_many_requests', message);

/** Limits the work that this process does at a time, by tenant: its memory stays bounded whatever arrives. */
export class LoadLimits {
  readonly #requests: Share;
  /** Event streams are counted separately: a tenant with many of them can still upload. */
  readonly #streams: Share;
  readonly #bodies: BodyBytes;

  constructor(
    config: Pick<
      Config,
      | 'MAX_REQUESTS_PER_TENANT'
      | 'MAX_EVENT_STREAMS_PER_TENANT'
      | 'MAX_BODY_BYTES_IN_FLIGHT'
      | 'MAX_BODY_BYTES_PER_TENANT'
    >,
  ) {
    this.#requests = new Share(config.MAX_REQUESTS_PER_TENANT, 'too many requests of this tenant at once');
    this.#streams = new Share(config.MAX_EVENT_STREAMS_PER_TENANT, 'too many event streams of this tenant at once');
    this.#bodies = new BodyBytes(config.MAX_BODY_BYTES_IN_FLIGHT, config.MAX_BODY_BYTES_PER_TENANT);
  }

  /** Bytes of bodies that are held now. */
  get bodyBytes(): number {
    return this.#bodies.total;
  }

  /** Begins a request of a tenant. @throws DroverError 429 if it has too many already. */
  begin(tenant: string): RequestLoad {
    let share = this.#requests;
    share.add(tenant);
    let bytes = 0;
    let hasEnded = false;
    return {
      addBodyBytes: (more) => {
        this.#bodies.add(tenant, more);
        bytes += more;
      },
      end: () => {
        // frees what was received after the caller had disconnected, too
        this.#bodies.remove(tenant, bytes);
        bytes = 0;
        if (hasEnded) return;
        hasEnded = true;
        share.remove(tenant);
      },
      becomeStream: () => {
        // a load that has ended would not be ended again
        if (hasEnded) return;
        this.#streams.add(tenant);
        share.remove(tenant);
        share = this.#streams;
      },
    };
  }
}

/**
 * Bytes of bodies in memory. A tenant may hold its share, and never more than is left free: even while other tenants hold as much as
 * they may, half of the free memory is left for the next one.
 */
class BodyBytes {
  readonly #max: number;
  readonly #share: number;
  /** By tenant; tenants that hold none are absent. */
  readonly #held = new Map<string, number>();
  #total = 0;

  constructor(max: number, share: number) {
    this.#max = max;
    this.#share = share;
  }

  get total(): number {
    return this.#total;
  }

  /** @throws DroverError 429 if that is more than the tenant, or the process, may hold. */
  add(tenant: string, bytes: number): void {
    const held = (this.#held.get(tenant) ?? 0) + bytes;
    const free = this.#max - this.#total - bytes;
    if (free < 0) throw tooMuch('too many bytes are being received at once');
    if (held > Math.min(this.#share, free)) throw tooMuch('too many bytes of this tenant are being received at once');
    this.#held.set(tenant, held);
    this.#total += bytes;
  }

  remove(tenant: string, bytes: number): void {
    const left = (this.#held.get(tenant) ?? 0) - bytes;
    if (left > 0) this.#held.set(tenant, left);
    else this.#held.delete(tenant);
    this.#total -= bytes;
  }
}

/** The number of requests, or of event streams, that each tenant has at work, and the limit. */
class Share {
  readonly #max: number;
  readonly #refusal: string;
  /** By tenant; tenants that have none are absent. */
  readonly #counts = new Map<string, number>();

  constructor(max: number, refusal: string) {
    this.#max = max;
    this.#refusal = refusal;
  }

  /** @throws DroverError 429 if the tenant has too many already. */
  add(tenant: string): void {
    const others = this.#counts.get(tenant) ?? 0;
    if (others >= this.#max) throw tooMuch(this.#refusal);
    this.#counts.set(tenant, others + 1);
  }

  remove(tenant: string): void {
    const left = (this.#counts.get(tenant) ?? 0) - 1;
    if (left > 0) this.#counts.set(tenant, left);
    else this.#counts.delete(tenant);
  }
}

/** One request's part of the load. */
export interface RequestLoad {
  /** @throws DroverError 429 if that would be too much together with the bytes that are held already. */
  addBodyBytes(bytes: number): void;
  /** From here on it counts as an event stream, not as a request. @throws DroverError 429 if the tenant has too many of them. */
  becomeStream(): void;
  /** Frees everything that it holds. To be called again if it could have received more meanwhile: it counts as ended once. */
  end(): void;
}
