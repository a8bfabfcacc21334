import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly hasEvents: boolean;
  readonly service: string;
}

/** The part of OTLP that is compared; fields that are not listed are passed over. */
const { root } = protobuf.parse(`syntax = "proto3";
  message Value { string stringValue = 1; bool boolValue = 2; int64 intValue = 3; }
  message Attribute { string key = 1; Value value = 2; }
  message Status { string message = 2; int32 code = 3; }
  message Event { string name = 2; }
  message Span { bytes traceId = 1; bytes spanId = 2; bytes parentSpanId = 4; string name = 5; repeated Attribute attributes = 9; repeated Event events = 11; Status status = 15; }
  message ScopeSpans { repeated Span spans = 2; }
  message Resource { repeated Attribute attributes = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scopeSpans = 2; }
  message Request { repeated ResourceSpans resourceSpans = 1; }`);
const REQUEST = root.lookupType('Request');

interface Attribute {
  readonly key: string;
  readonly value?: Readonly<Record<string, unknown>>;
}
interface DecodedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes?: readonly Attribute[];
  readonly events?: readonly unknown[];
  readonly status?: { readonly message?: string };
}
interface DecodedRequest {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes?: readonly Attribute[] };
    readonly scopeSpans?: readonly { readonly spans?: readonly DecodedSpan[] }[];
  }[];
}

const namedBy = (attributes: readonly Attribute[] = []): Record<string, string> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value ?? {})[0])]));
const hex = (base64 = ''): string => Buffer.from(base64, 'base64').toString('hex');

function spansIn(body: Buffer): ReceivedSpan[] {
  const request = REQUEST.toObject(REQUEST.decode(body), { bytes: String, longs: String }) as DecodedRequest;
  return (request.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) =>
      spans.map((span) => ({
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        name: span.name,
        attributes: namedBy(span.attributes),
        hasEvents: (span.events ?? []).length > 0 || (span.status?.message ?? '') !== '',
        service: namedBy(resource.attributes)['service.name'] ?? '',
      })),
    ),
  );
}

/** A collector of OpenTelemetry in this process: it keeps what it receives. */
export class Collector {
  readonly spans: ReceivedSpan[] = [];
  /** What was sent, as it was sent. */
  readonly bodies: Buffer[] = [];
  readonly #server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    this.bodies.push(body);
    this.spans.push(...spansIn(body));
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });

  /** @returns its base URL. */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
