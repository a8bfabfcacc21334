import { lookup as resolve } from 'node:dns';
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { wellFormed } from '../../domain/json/well-formed.ts';
import { MAX_WEBHOOK_ANSWER_BYTES, MAX_WEBHOOK_ANSWER_KEPT_BYTES, MAX_WEBHOOK_MS } from '../../domain/limits.ts';
import { hostOf } from '../../domain/webhooks/webhook.ts';
import { addressFault, type Reach } from './addresses.ts';

/** The answer of a receiver, or why there is none. */
export type Answer =
  | { readonly status: number; readonly body: string; readonly error?: never }
  | { readonly error: string; readonly status?: never; readonly body?: never };

interface Sending {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly reach: Reach;
}

/** A connection that is not made. */
class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError';
}

/**
 * Sends one message and reads the answer, as far as it is kept. A connection is made for it and closed after it: the address is checked at each connection, after
 * its name is resolved, and the address that is checked is the one that is connected to. Redirects are answers, proxies of the environment are not used.
 * @param lookup resolves names: that of the system, unless a test has another.
 */
export async function send(
  { url, headers, body, reach }: Sending,
  lookup: LookupFunction = resolve as LookupFunction,
): Promise<Answer> {
  const target = new URL(url);
  const host = hostOf(target);
  // an address in the URL is not looked up
  const fault = isIP(host) === 0 ? null : addressFault(host, reach);
  if (fault !== null) return { error: fault };
  const isHttps = target.protocol === 'https:';
  const agent = isHttps ? new HttpsAgent({ keepAlive: false }) : new HttpAgent({ keepAlive: false });
  const options = {
    method: 'POST',
    headers: { ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' },
    lookup: checked(lookup, reach),
    signal: AbortSignal.timeout(MAX_WEBHOOK_MS),
    agent,
  };
  try {
    const request = isHttps ? requestHttps(target, options) : requestHttp(target, options);
    const { answer, begin } = answered(request);
    begin(body);
    const response = await answer;
    return { status: response.statusCode ?? 0, body: await beginningOf(response) };
  } catch (error) {
    return { error: reasonOf(error) };
  } finally {
    agent.destroy();
  }
}

function answered(request: ClientRequest) {
  const answer = new Promise<IncomingMessage>((done, fail) => {
    request.once('response', done);
    request.on('error', fail);
  });
  return { answer, begin: (body: string) => request.end(body) };
}

/** Resolves a name as another function does, and refuses all of its addresses if one of them is refused. */
function checked(lookup: LookupFunction, reach: Reach): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      if (error) return callback(error, address, family);
      const addresses = Array.isArray(address) ? address.map((one) => one.address) : [address];
      const fault = addresses.map((one) => addressFault(one, reach)).find((one) => one !== null);
      if (fault) return callback(new RefusedAddressError(`${hostname}: ${fault}`), '', 0);
      callback(null, address, family);
    });
  };
}

/** The beginning of an answer that is kept; reading ends at the largest answer. */
async function beginningOf(response: IncomingMessage): Promise<string> {
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (bytes < MAX_WEBHOOK_ANSWER_KEPT_BYTES) kept.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > MAX_WEBHOOK_ANSWER_BYTES) break;
  }
  return wellFormed(Buffer.concat(kept).subarray(0, MAX_WEBHOOK_ANSWER_KEPT_BYTES).toString('utf8'));
}

/** Longest reason that is kept, in characters. */
const MAX_REASON = 300;

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection failed';
  if (error.name === 'TimeoutError' || error.name === 'AbortError')
    return `no answer within ${MAX_WEBHOOK_MS / 1000} s`;
  return wellFormed(error.message || error.name).slice(0, MAX_REASON);
}
