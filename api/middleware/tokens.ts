import { createSecretKey } from 'node:crypto';
import {
  type CryptoKey,
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  type JWTVerifyResult,
  jwtVerify,
} from 'jose';
import { isScopeName } from '../../domain/batch/scope.ts';
import { DroverError } from '../../domain/errors.ts';
import { wellFormed } from '../../domain/json/well-formed.ts';
import { MAX_CREATED_BY } from '../../domain/limits.ts';
import type { Config } from '../../process/config.ts';
import { ApiError } from '../http/api-error.ts';
import { KEY_SET_RETRY_SECONDS } from '../http/error-answers.ts';

/** Accepted difference between this clock and the issuer's, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 30;
/** A shared secret signs only with HMAC, a key set never with HMAC: a public key can never be used as a secret. */
const SECRET_ALGORITHMS = ['HS256'];
const KEY_SET_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
/** Time in which the key set's server has to answer, in ms. */
const KEY_SET_TIMEOUT_MS = 3_000;
/** Number of keys of a set that are tried for a token that does not name its key. */
const MAX_KEYS_TRIED = 20;

/** The claims of a token. `subject`: whom it is for. */
export type Bearer = { readonly subject?: string } & (
  | { readonly scope: 'tenant'; readonly platform: string; readonly tenant: string }
  /** `tenant`: the tenant of requests that name none. */
  | { readonly scope: 'platform'; readonly platform: string; readonly tenant?: string }
);

/** @throws DroverError 401 for an invalid token; 503 if the key set cannot be fetched. */
export type VerifyToken = (token: string) => Promise<Bearer>;

/**
 * Verifies bearer tokens; null if none are configured.
 *
 * Claims: `platform`; `scope`, a list of words of which one is `platform` or `tenant` (the others are ignored); `tenant`,
 * needed in tenant scope. `exp` and `nbf` are checked if they are present.
 */
export function tokenVerifier(config: Config): VerifyToken | null {
  const { JWT_SECRET: secret, JWKS_URL: keySetUrl, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = config;
  const options: JWTVerifyOptions = {
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };
  if (secret !== undefined) {
    const key = createSecretKey(Buffer.from(secret, 'utf8'));
    return verifyWith(() => key, { ...options, algorithms: SECRET_ALGORITHMS });
  }
  if (keySetUrl === undefined) return null;
  return verifyWith(keysAt(new URL(keySetUrl)), { ...options, algorithms: KEY_SET_ALGORITHMS });
}

function verifyWith(key: JWTVerifyGetKey, options: JWTVerifyOptions): VerifyToken {
  return async (token) => {
    let claims: JWTPayload;
    try {
      ({ payload: claims } = await verified(token, key, options));
    } catch (error) {
      throw error instanceof DroverError ? error : unauthorized(reasonOf(error));
    }
    return bearerOf(claims);
  };
}

/** A token without `kid`, or with one that several keys of the set have, is tried with each of them. */
async function verified(token: string, key: JWTVerifyGetKey, options: JWTVerifyOptions): Promise<JWTVerifyResult> {
  try {
    return await jwtVerify(token, key, options);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    return verifiedByOneOf(token, error, options);
  }
}

async function verifiedByOneOf(
  token: string,
  keys: AsyncIterable<CryptoKey>,
  options: JWTVerifyOptions,
): Promise<JWTVerifyResult> {
  let tried = 0;
  for await (const key of keys) {
    tried += 1;
    if (tried > MAX_KEYS_TRIED) break;
    try {
      return await jwtVerify(token, key, options);
    } catch (error) {
      // wrong claims stay wrong with every key
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

/**
 * The keys of a set, fetched when they are needed and cached by `jose`. A key that is not in the set is a fault of the token; a set that
 * cannot be fetched is not. After a failed fetch, none is tried for some seconds: the cached keys are used, or the answer is 503.
 */
function keysAt(url: URL): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, { timeoutDuration: KEY_SET_TIMEOUT_MS });
  let retryAt = Number.NEGATIVE_INFINITY;
  return async (header, token) => {
    const isWaiting = performance.now() < retryAt;
    const known = isWaiting && remote.fresh ? remote.jwks() : undefined;
    if (isWaiting && known === undefined) throw noKeys();
    try {
      return await (known === undefined ? remote : createLocalJWKSet(known))(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys || error instanceof errors.JOSENotSupported) throw error;
      const isUnknownKey = error instanceof errors.JWKSNoMatchingKey;
      if (isUnknownKey && !isWaiting) throw error;
      if (!isUnknownKey) retryAt = performance.now() + KEY_SET_RETRY_SECONDS * 1000;
      throw noKeys();
    }
  };
}

const noKeys = (): DroverError => new DroverError('key_set_unavailable', 'the keys for tokens cannot be reached');

/** A refusal, with the challenge that HTTP requires (RFC 6750). Without a reason no token was sent. */
export function unauthorized(reason?: string): ApiError {
  const challenge = reason === undefined ? '' : `, error="invalid_token", error_description="${reason}"`;
  return new ApiError('unauthorized', reason ?? 'a bearer token is needed', {
    challenge: `Bearer realm="drover"${challenge}`,
  });
}

/** Why a token is refused, in fixed words: the message contains nothing of the token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `the claim ${claimName(error.claim)} of the token is not accepted`;
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the signature of the token is not valid';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'the algorithm of the token is not accepted';
  if (error instanceof errors.JWKSNoMatchingKey) return 'the token is signed with an unknown key';
  return 'the token is not valid';
}

const claimName = (claim: string): string => (/^[a-z]{1,20}$/.test(claim) ? claim : 'checked');

function bearerOf(claims: JWTPayload): Bearer {
  const { platform, tenant, scope } = claims;
  const subject = subjectOf(claims);
  if (!isScopeName(platform)) throw unauthorized('the claim platform of the token is missing or wrong');
  const words = typeof scope === 'string' ? scope.split(' ') : [];
  const isPlatform = words.includes('platform');
  if (isPlatform === words.includes('tenant'))
    throw unauthorized('the claim scope of the token must have one of platform, tenant');
  if (isPlatform && tenant === undefined) return { scope: 'platform', platform, ...subject };
  if (!isScopeName(tenant)) throw unauthorized('the claim tenant of the token is missing or wrong');
  return { scope: isPlatform ? 'platform' : 'tenant', platform, tenant, ...subject };
}

/** It is recorded, and decides nothing: what no batch can keep is left out. */
function subjectOf({ sub }: JWTPayload): { subject?: string } {
  return typeof sub === 'string' && sub !== '' ? { subject: wellFormed(sub.slice(0, MAX_CREATED_BY)) } : {};
}
