import type { Job } from './run-items.ts';

/** Answers each job of the parent process with the seconds that it took; ends with the parent. */
export function serve(runItems: (job: Job) => Promise<number>): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', (job: Job) => {
    runItems(job).then(
      (seconds) => process.send?.({ seconds }),
      (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.send?.({ ready: true });
}
