/** Who is signed in. The token is kept for this tab only: in session storage, which no other tab and no server sees. */
export interface Credentials {
  readonly token: string | null;
  /** The tenant that is looked at; null: that of the token. */
  readonly tenant: string | null;
}

const TOKEN = 'drover.token';
const TENANT = 'drover.tenant';
const listeners = new Set<() => void>();

const read = (): Credentials => ({ token: sessionStorage.getItem(TOKEN), tenant: sessionStorage.getItem(TENANT) });
let current = read();

export const credentials = (): Credentials => current;

/** @returns a function that ends it. */
export function onCredentials(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function signIn(token: string): void {
  store({ token, tenant: null });
}

export function signOut(): void {
  store({ token: null, tenant: null });
}

export function switchTenant(tenant: string | null): void {
  store({ ...current, tenant });
}

function store(next: Credentials): void {
  for (const [name, value] of [
    [TOKEN, next.token],
    [TENANT, next.tenant],
  ] as const) {
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, value);
  }
  current = next;
  for (const listener of listeners) listener();
}
