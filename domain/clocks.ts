export const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Largest error of a process's clock, in either direction, in ms. Within it, no decision that a process bases on a time noted by another
 * process is wrong; what holds even beyond it is said at each place.
 */
export const CLOCK_OFF_MS = 30_000;

/** Largest difference between the clocks of two processes, or of a process and a server, in ms. */
export const CLOCKS_DIFFER_MS = 2 * CLOCK_OFF_MS;
