/**
 * How far the clock of a process may be off, either way, in ms. Nothing that a process decides on a time which another one has
 * noted is wrong as long as it is not more; what stays right whatever clocks say is said at each place.
 */
export const CLOCK_OFF_MS = 30_000;

/** What the clocks of two processes, or of one and a server, may differ by, in ms. */
export const CLOCKS_DIFFER_MS = 2 * CLOCK_OFF_MS;
