import { keepOrder } from '../../domain/json/name-order.ts';
import { nameStoredAs } from '../../domain/json/stored.ts';

/** Types of BSON elements: those of JSON, the other numbers, and dates. */
const DOUBLE = 0x01;
const STRING = 0x02;
const OBJECT = 0x03;
const ARRAY = 0x04;
const BOOLEAN = 0x08;
const DATE = 0x09;
const NULL = 0x0a;
const INT32 = 0x10;
const INT64 = 0x12;

/** Bytes of the length before a text or an object. */
const LENGTH = 4;

/**
 * A document of the wire (`raw: true`) as JavaScript values, with all names as they were sent (`stored.ts`) and in that order (`namesOf`).
 * The driver's own reader would list names such as "10" first, and makes a reference of `$ref` and `$id`. Recursive: a server holds 100 levels.
 * @throws if it contains a type that no resource has.
 */
export const readDocument = (bytes: Uint8Array): unknown =>
  new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).object();

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  object(): object {
    const end = this.#end();
    const object: Record<string, unknown> = {};
    const names: string[] = [];
    while (this.#at < end) {
      const type = this.#byte();
      const name = nameStoredAs(this.#name());
      const value = this.#value(type);
      names.push(name);
      if (name === '__proto__')
        Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
      else object[name] = value;
    }
    this.#at += 1;
    keepOrder(object, names);
    return object;
  }

  #array(): unknown[] {
    const end = this.#end();
    const array: unknown[] = [];
    while (this.#at < end) {
      const type = this.#byte();
      this.#at = this.#bytes.indexOf(0, this.#at) + 1;
      array.push(this.#value(type));
    }
    this.#at += 1;
    return array;
  }

  /** Position of the byte that ends the object that begins here; moves to its first element. */
  #end(): number {
    const end = this.#at + this.#bytes.readInt32LE(this.#at) - 1;
    this.#at += LENGTH;
    return end;
  }

  #byte(): number {
    return this.#bytes[this.#at++] as number;
  }

  #name(): string {
    const from = this.#at;
    while (this.#byte() !== 0);
    return this.#bytes.toString('utf8', from, this.#at - 1);
  }

  #text(): string {
    const from = this.#at + LENGTH;
    this.#at = from + this.#bytes.readInt32LE(this.#at);
    return this.#bytes.toString('utf8', from, this.#at - 1);
  }

  #int64(): number {
    this.#at += 8;
    return Number(this.#bytes.readBigInt64LE(this.#at - 8));
  }

  #value(type: number): unknown {
    switch (type) {
      case STRING:
        return this.#text();
      case INT32:
        this.#at += 4;
        return this.#bytes.readInt32LE(this.#at - 4);
      case DOUBLE:
        this.#at += 8;
        return this.#bytes.readDoubleLE(this.#at - 8);
      case BOOLEAN:
        return this.#byte() === 1;
      case NULL:
        return null;
      case OBJECT:
        return this.object();
      case ARRAY:
        return this.#array();
      case DATE:
        return new Date(this.#int64());
      case INT64:
        return this.#int64();
      default:
        throw new Error(`a resource contains a value of BSON type ${type}`);
    }
  }
}
