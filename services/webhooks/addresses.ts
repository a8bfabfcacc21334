import ipaddr from 'ipaddr.js';

/**
 * Where deliveries may go: `public`: the addresses of the internet alone; `loopback`: those of this machine too, for a webhook that was created for it where
 * no tokens are configured; `any`: `WEBHOOK_ALLOW_PRIVATE`.
 */
export type Reach = 'public' | 'loopback' | 'any';

/** Addresses of the internet's range by which clouds serve their machines with secrets: that of Azure. */
const METADATA: ReadonlySet<string> = new Set(['168.63.129.16']);

/**
 * Why a connection to an address is refused; null if it may be made. What is no address of the public internet is refused: private, link-local (which the cloud's metadata has),
 * loopback, unspecified, shared, reserved, and every range of IPv6 that carries an address of IPv4 in it, but for mapped ones, which are read as that.
 */
export function addressFault(address: string, reach: Reach): string | null {
  if (reach === 'any') return null;
  const parsed = parse(address);
  if (parsed === null) return `${address} is no address`;
  const range = parsed.range();
  if (range === 'loopback' && reach === 'loopback') return null;
  if (range !== 'unicast') return `${address} is refused: ${range}`;
  // ::/96 is no range of its own: such addresses were once those of IPv4
  if (parsed instanceof ipaddr.IPv6 && parsed.parts.slice(0, 6).every((part) => part === 0))
    return `${address} is refused: deprecated`;
  return METADATA.has(parsed.toString()) ? `${address} is refused: metadata` : null;
}

function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  try {
    return ipaddr.process(address);
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}
