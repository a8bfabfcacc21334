import { type Config, ConfigError, isWeakSecret, STRONG_SECRET } from '../../process/config.ts';

/** Without tokens every caller may do everything: the API must be reachable from this machine only. */

const LOOPBACK = /^(127(\.\d{1,3}){3}|\[?::1\]?|([a-z0-9-]+\.)*localhost)$/i;

/** @internal exported for tests, which check it by itself */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/**
 * @throws ConfigError if the API would listen on a network address without tokens, or with a secret that can be guessed; and in
 * production without tokens, even on loopback: a proxy in front of it may let others in.
 */
export function assertSafeAddress(config: Config): void {
  const { HOST, NODE_ENV, JWT_SECRET, JWKS_URL } = config;
  const hasTokens = JWT_SECRET !== undefined || JWKS_URL !== undefined;
  if (!hasTokens && !isLoopback(HOST)) {
    throw new ConfigError(`HOST is ${HOST}, which is not loopback: set JWT_SECRET or JWKS_URL, or listen on 127.0.0.1`);
  }
  if (!hasTokens && NODE_ENV === 'production') {
    throw new ConfigError('JWT_SECRET or JWKS_URL must be set when NODE_ENV is production');
  }
  if (isWeakSecret(config) && !isLoopback(HOST)) {
    throw new ConfigError(`JWT_SECRET: ${STRONG_SECRET}, where HOST is not loopback`);
  }
}

/**
 * Whether a request was made from this machine to this machine: a page of another site in a browser of this machine can reach
 * loopback too, under its own name (DNS rebinding) or with its own `Origin`.
 */
export function isLocalRequest(headers: { host: string | undefined; origin: string | undefined }): boolean {
  return [headers.host && `http://${headers.host}`, headers.origin].every((address) => !address || isLocalUrl(address));
}

function isLocalUrl(address: string): boolean {
  return URL.canParse(address) && isLoopback(new URL(address).hostname);
}
