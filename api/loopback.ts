import { type Config, ConfigError } from '../config.ts';

/** Without tokens everybody who reaches the API may do everything: it must stay on this machine. */

const LOOPBACK = /^(127(\.\d{1,3}){3}|\[?::1\]?|([a-z0-9-]+\.)*localhost)$/i;

export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** @throws ConfigError where the API would listen to others without asking them for a token. */
export function assertSafeAddress({ HOST, JWT_SECRET, JWKS_URL }: Config): void {
  if (isLoopback(HOST) || JWT_SECRET !== undefined || JWKS_URL !== undefined) return;
  throw new ConfigError(`HOST is ${HOST}, which is not loopback: set JWT_SECRET or JWKS_URL, or listen on 127.0.0.1`);
}

/**
 * Whether a request was made from this machine to this machine: a page of another site that a browser here shows can reach
 * loopback too, under its own name (DNS rebinding) or with its own `Origin`.
 */
export function isLocalRequest(headers: { host: string | undefined; origin: string | undefined }): boolean {
  return [headers.host && `http://${headers.host}`, headers.origin].every((address) => !address || isLocalUrl(address));
}

function isLocalUrl(address: string): boolean {
  return URL.canParse(address) && isLoopback(new URL(address).hostname);
}
