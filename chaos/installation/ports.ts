import { isFree } from '../../embedded/ports.ts';
import type { Random } from '../workload/random.ts';

/**
 * Ports of loopback that nothing listens on, below the range from which the system takes ports for outgoing connections: one of
 * those could be taken while its server is down, or be connected to itself.
 */
export async function quietPorts(random: Random, count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = random.integer(12_000, 31_999);
    if (await isFree(port, '127.0.0.1')) ports.add(port);
  }
  return [...ports];
}
