import type { Logger } from 'pino';

/** Longest time that a process takes to end in order after an uncaught error, in ms; then it ends at once. */
const MAX_DRAIN_MS = 40_000;

/**
 * Ends this process in order: on SIGINT and SIGTERM with exit code 0, and with 1 on an uncaught error, rejections
 * included. After such an error the state of the process is unknown, so it accepts no new work, and finishes what runs.
 * @param stop drains; called once.
 */
export function endInOrder(logger: Logger, name: string, stop: () => Promise<void>): void {
  let isStopping = false;
  const end = (exitCode: number): void => {
    if (isStopping) return;
    isStopping = true;
    stop().then(
      () => process.exit(process.exitCode ?? exitCode),
      (error: unknown) => {
        logger.error({ err: error }, `the ${name} did not stop in order`);
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (!isStopping) logger.info({ signal }, `the ${name} drains`);
      end(0);
    });
  }
  onUncaughtError(logger, () => end(1));
}

/**
 * Logs every uncaught error, and calls `end` at the first one. The process ends with exit code 1 in any case, even if
 * `end` does not return.
 */
export function onUncaughtError(logger: Logger, end: () => void): void {
  let isEnding = false;
  const onError = (error: unknown, event: string): void => {
    logger.fatal({ err: error, event }, 'uncaught error: the process ends');
    process.exitCode = 1;
    if (isEnding) return;
    isEnding = true;
    setTimeout(() => process.exit(1), MAX_DRAIN_MS).unref();
    end();
  };
  process.on('uncaughtException', (error) => onError(error, 'uncaughtException'));
  process.on('unhandledRejection', (reason) => onError(reason, 'unhandledRejection'));
}
