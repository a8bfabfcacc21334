import { BSON, type Document } from 'mongodb';

/** One message of MongoDB's wire protocol, as far as it is an `OP_MSG`. */
export interface Message {
  readonly requestId: number;
  /** The request that it answers; 0 for a request. */
  readonly responseTo: number;
  /** The command, or the answer, with the documents that were sent beside it. */
  readonly body: Document;
}

const HEADER_BYTES = 16;
const FLAG_BYTES = 4;
const CHECKSUM_BYTES = 4;
const HAS_CHECKSUM = 1;
const OP_MSG = 2013;
const BODY = 0;
const SEQUENCE = 1;

/** @returns null for messages of other kinds: the first one of a connection may be one. */
export function readMessage(bytes: Buffer): Message | null {
  if (bytes.readInt32LE(12) !== OP_MSG) return null;
  const flags = bytes.readUInt32LE(HEADER_BYTES);
  const end = bytes.length - (flags & HAS_CHECKSUM ? CHECKSUM_BYTES : 0);
  let body: Document = {};
  for (let at = HEADER_BYTES + FLAG_BYTES; at < end; ) {
    const kind = bytes.readUInt8(at);
    const size = bytes.readInt32LE(at + 1);
    const section = bytes.subarray(at + 1, at + 1 + size);
    if (kind === BODY) body = { ...body, ...BSON.deserialize(section) };
    else if (kind === SEQUENCE) body = { ...body, ...readSequence(section) };
    else throw new Error(`a section of kind ${kind} in a message of MongoDB's protocol`);
    at += 1 + size;
  }
  return { requestId: bytes.readInt32LE(4), responseTo: bytes.readInt32LE(8), body };
}

/** Documents that are sent beside a command, by the name of the field that they belong to. */
function readSequence(section: Buffer): Document {
  const nameEnd = section.indexOf(0, 4);
  const documents: Document[] = [];
  for (let at = nameEnd + 1; at < section.length; ) {
    const size = section.readInt32LE(at);
    documents.push(BSON.deserialize(section.subarray(at, at + size)));
    at += size;
  }
  return { [section.toString('utf8', 4, nameEnd)]: documents };
}
