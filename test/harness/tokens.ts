import { SignJWT, UnsecuredJWT } from 'jose';

/** Tokens for tests of an API that requires them. */

export const SECRET = 'a secret of tests that is long enough';
export const ISSUER = 'https://issuer.test';
export const AUDIENCE = 'drover-test';

/** Environment of an API that accepts `signed` tokens. */
export const TOKEN_ENVIRONMENT = { JWT_SECRET: SECRET, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE };

export interface Claims {
  readonly platform?: unknown;
  readonly tenant?: unknown;
  readonly scope?: unknown;
  readonly iss?: string;
  readonly sub?: string;
  readonly aud?: string;
  /** Seconds from now. */
  readonly expiresIn?: number;
  readonly validIn?: number;
}

const now = (): number => Math.floor(Date.now() / 1000);

function payload({ expiresIn = 3600, validIn, ...claims }: Claims): Record<string, unknown> {
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    ...claims,
    exp: now() + expiresIn,
    ...(validIn !== undefined && { nbf: now() + validIn }),
  };
}

export function signed(claims: Claims, { secret = SECRET, alg = 'HS256' } = {}): Promise<string> {
  return new SignJWT(payload(claims)).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));
}

/** A token with `alg: none`: its claims are not signed. */
export const unsigned = (claims: Claims): string => new UnsecuredJWT(payload(claims)).encode();

export const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });
