import { isIP } from 'node:net';
import { MAX_WEBHOOK_URL } from '../../domain/limits.ts';
import { hostOf, isLoopbackHost } from '../../domain/webhooks/webhook.ts';
import { addressFault, type Reach } from './addresses.ts';

interface UrlRules {
  /** No tokens are configured: who calls this service is a user of this machine, and may be told on it. */
  readonly isLocal: boolean;
  /** `WEBHOOK_ALLOW_PRIVATE`. */
  readonly allowPrivate: boolean;
}

/** The URL of a webhook as it is stored, and whether it is one of this machine; or why it is refused. */
type CheckedUrl =
  | { readonly url: string; readonly isLoopback: boolean; readonly fault?: never }
  | { readonly fault: string; readonly url?: never };

/**
 * Checks a URL as far as that is possible before a connection: names are resolved at each delivery (`send`). Other forms of an address (decimal, octal,
 * hexadecimal, shortened) are the same address once the URL is parsed.
 */
export function checkUrl(text: string, { isLocal, allowPrivate }: UrlRules): CheckedUrl {
  if (text.length > MAX_WEBHOOK_URL) return { fault: `must be at most ${MAX_WEBHOOK_URL} characters` };
  if (/[\p{Cc}\p{Surrogate}\s\\]/u.test(text) || !URL.canParse(text)) return { fault: 'must be a URL' };
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return { fault: 'must have no user and no password' };
  if (url.hash !== '') return { fault: 'must have no fragment' };
  const host = hostOf(url);
  const isLoopback = isLocal && isLoopbackHost(host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
    return { fault: isLocal ? 'must be an https URL, or an http URL of this machine' : 'must be an https URL' };
  const reach: Reach = allowPrivate ? 'any' : isLoopback ? 'loopback' : 'public';
  const refused = isIP(host) === 0 ? nameFault(host, reach) : addressFault(host, reach);
  return refused === null ? { url: url.href, isLoopback } : { fault: `must be one of the public internet: ${refused}` };
}

/** A name that can only be one of this machine is refused at once. */
const nameFault = (host: string, reach: Reach): string | null =>
  reach === 'public' && isLoopbackHost(host.replace(/\.$/, '')) ? `${host} is this machine` : null;
