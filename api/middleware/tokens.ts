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
import type { Config } from '../../process/config.ts';
import { ApiError } from '../http/api-error.ts';
import { KEY_SET_RETRY_SECONDS } from '../http/error-answers.ts';

/** Difference between our clock and the issuer's that is put up with, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 30;
/** A shared secret signs with HMAC, a key set with anything but: a public key can never pass for a secret. */
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
/** Time that the key set's server is given to answer, in ms. */
const KEY_SET_TIMEOUT_MS = 3_000;
/** Keys of a set that a token is tried with which does not say which one it is signed with. */
const MAX_KEYS_TRIED = 20;

/** What a token says of its bearer. */
export type Bearer =
  | { readonly scope: 'tenant'; readonly platform: string; readonly tenant: string }
  /** `tenant`: the one that requests are about which name none. */
  | { readonly scope: 'platform'; readonly platform: string; readonly tenant?: string };

/** @throws DroverError 401 for what is no valid token; 503 where the key set cannot be had. */
export type VerifyToken = (token: string) => Promise<Bearer>;

/**
 * How bearer tokens are verified; null where none are configured.
 *
 * Claims: `platform`; `scope`, a list of words of which one is `platform` or `tenant` (the others are left alone); `tenant`,
 * needed in tenant scope. `exp` and `nbf` are kept to where they are there.
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
      // what is wrong with its claims is so with every key
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

/**
 * The keys of a set, fetched when they are needed and kept by `jose`. A key that is not in the set is the token's fault; a set that
 * cannot be had is not. After a fetch that failed there is none for some seconds: what is known is enough, or it is a 503.
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

/** A refusal, with the challenge that HTTP wants (RFC 6750). Without a reason no token was sent. */
export function unauthorized(reason?: string): ApiError {
  const challenge = reason === undefined ? '' : `, error="invalid_token", error_description="${reason}"`;
  return new ApiError('unauthorized', reason ?? 'a bearer token is needed', {
    challenge: `Bearer realm="drover"${challenge}`,
  });
}

/** Why a token is refused, in words of ours: nothing of the token. */
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

function bearerOf({ platform, tenant, scope }: JWTPayload): Bearer {
  if (!isScopeName(platform)) throw unauthorized('the claim platform of the token is missing or wrong');
  const words = typeof scope === 'string' ? scope.split(' ') : [];
  const isPlatform = words.includes('platform');
  if (isPlatform === words.includes('tenant'))
    throw unauthorized('the claim scope of the token must have one of platform, tenant');
  if (isPlatform && tenant === undefined) return { scope: 'platform', platform };
  if (!isScopeName(tenant)) throw unauthorized('the claim tenant of the token is missing or wrong');
  return { scope: isPlatform ? 'platform' : 'tenant', platform, tenant };
}
