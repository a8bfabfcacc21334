import { isScopeName } from '../../domain/batch/scope.ts';
import { MAX_SCOPE_NAME } from '../../domain/limits.ts';
import { badRequest } from '../http/api-error.ts';

/** Names the tenant that a request is about, as clients of Reach do: ASCII without a comma. */
export const TENANT_HEADER = 'reach-tenant-id';
/** The same for any name, percent-encoded UTF-8 as RFC 8187 has it: `UTF-8''caf%C3%A9`. */
export const EXTENDED_TENANT_HEADER = 'reach-tenant-id*';

/**
 * The tenant that a request names (invariant 6: never another one than its caller meant).
 *
 * A header's bytes beyond ASCII say nothing of their encoding: Node reads them as Latin-1, so a name sent as UTF-8 would be another
 * tenant's. A header given twice reaches us as one with a comma, from Node or from a proxy in front. Both are refused.
 *
 * @param headers the two above, as Node has read them; empty is absent.
 * @returns null where none is named. @throws DroverError 400 for what may not have been meant.
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

/** Characters that stand for themselves in RFC 8187, section 3.2.1; a comma does not, so one given twice is none. */
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
