import { isScopeName } from '../../domain/batch/scope.ts';
import { MAX_SCOPE_NAME } from '../../domain/limits.ts';
import { badRequest } from '../http/api-error.ts';

/** Names the tenant of a request, as clients of Reach do: ASCII without a comma. */
export const TENANT_HEADER = 'reach-tenant-id';
/** The same for any name, in percent-encoded UTF-8 (RFC 8187): `UTF-8''caf%C3%A9`. */
export const EXTENDED_TENANT_HEADER = 'reach-tenant-id*';

/**
 * The tenant that a request names (invariant 6: never another one than its caller meant).
 *
 * The encoding of a header's bytes beyond ASCII is unknown: Node reads them as Latin-1, so a name sent as UTF-8 would be that of another
 * tenant. A header given twice arrives as one with a comma, from Node or from a proxy in front. Both are refused.
 *
 * @param headers the two above, as Node has read them; empty is absent.
 * @returns null if none is named. @throws DroverError 400 for a value that may not have been meant.
 */
export function namedTenant(headers: { plain: string | undefined; extended: string | undefined }): string | null {
  const plain = headers.plain || undefined;
  const extended = headers.extended || undefined;
  if (plain !== undefined && extended !== undefined) {
    throw badRequest(`${TENANT_HEADER}: is given twice, as ${TENANT_HEADER} and ${EXTENDED_TENANT_HEADER}`);
  }
  if (extended !== undefined) return readExtended(extended);
  return plain === undefined ? null : readPlain(plain);
}

function readPlain(value: string): string {
  if (value.includes(',')) {
    throw badRequest(
      `${TENANT_HEADER}: is given twice, or has a comma: name such a tenant in ${EXTENDED_TENANT_HEADER}, as UTF-8''a%2Cb`,
    );
  }
  if (/[^\x20-\x7e]/.test(value)) {
    throw badRequest(
      `${TENANT_HEADER}: must be ASCII: name another tenant in ${EXTENDED_TENANT_HEADER}, as UTF-8''caf%C3%A9`,
    );
  }
  return checked(TENANT_HEADER, value);
}

/** Characters that RFC 8187, section 3.2.1, allows unescaped; a comma is not allowed, so a header given twice is invalid. */
const EXTENDED = /^utf-8'[A-Za-z0-9-]*'((?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9a-f]{2})+)$/i;

function readExtended(value: string): string {
  const [, encoded] = EXTENDED.exec(value) ?? [];
  const name = encoded === undefined ? null : decoded(encoded);
  if (name === null) {
    throw badRequest(
      `${EXTENDED_TENANT_HEADER}: must be one name in percent-encoded UTF-8, as UTF-8''caf%C3%A9 (RFC 8187)`,
    );
  }
  return checked(EXTENDED_TENANT_HEADER, name);
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function checked(header: string, name: string): string {
  if (isScopeName(name)) return name;
  throw badRequest(`${header}: must be at most ${MAX_SCOPE_NAME} characters, none of them a control character`);
}
