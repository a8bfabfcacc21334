/** A key that nobody else has. A page that does not come over https has no `randomUUID`. */
export function randomKey(): string {
  const { crypto } = globalThis;
  const { randomUUID } = crypto as Partial<typeof crypto>;
  if (randomUUID !== undefined) return randomUUID.call(crypto);
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
