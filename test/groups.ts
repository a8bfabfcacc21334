/**
 * How test files share processes. A process of its own costs some 2 s of CPU for Temporal's SDK, MongoDB's driver and Hono alone, so
 * files of a subject of `SHARING` follow each other in one process. The files below get one for each: what they need, change or measure is
 * the process.
 */
export const OWN_PROCESS = [
  // install the SDK's runtime, of which a process has one: with a log or metrics of their own
  'test/workflows/*.test.ts',
  'test/embedded/time-skipping.test.ts',
  'test/worker/*.test.ts',
  'test/end-to-end/secrets.test.ts',
  'test/end-to-end/encryption.test.ts',
  'test/end-to-end/two-versions.test.ts',
  // replace modules, clocks, or methods of a library
  'test/api/dry-run-timeout.test.ts',
  'test/api/start-readiness.test.ts',
  'test/activities/clocks.test.ts',
  'test/end-to-end/head-and-streams.test.ts',
  'test/end-to-end/moving-documents.test.ts',
  'test/store/queries.test.ts',
  // measure memory, time or threads, or need much of them
  'test/chaos.test.ts',
  'test/chaos/*.test.ts',
  'test/activities/decide-within-budget.test.ts',
  'test/api/body-rate.test.ts',
  'test/api/busy-process.test.ts',
  'test/api/dry-run-memory.test.ts',
  'test/api/fuzz.test.ts',
  'test/api/hostile-input.test.ts',
  'test/api/outage.test.ts',
  'test/api/overload.test.ts',
  'test/end-to-end/costly-schemas.test.ts',
  'test/end-to-end/fairness.test.ts',
  'test/end-to-end/large-and-odd.test.ts',
  'test/end-to-end/stop-and-start.test.ts',
  'test/services/validation-threads.test.ts',
  'test/store/document-sizes.test.ts',
];

/** Folders of `test/`, each a group. */
const SUBJECTS = ['activities', 'api', 'camunda', 'domain', 'embedded', 'end-to-end', 'services', 'store'];
/** Subjects whose files share a process, one after the other. */
const SHARING: readonly string[] = ['api', 'domain'];

/** Groups of files by name: those with a process each, and those of a subject. Every test file is in one of them. */
export const GROUPS: readonly { name: string; include: string[]; exclude: string[]; isolate: boolean }[] = [
  { name: 'own-process', include: OWN_PROCESS, exclude: [], isolate: true },
  ...SUBJECTS.map((name) => ({
    name,
    include: [`test/${name}/**/*.test.ts`],
    exclude: OWN_PROCESS,
    isolate: !SHARING.includes(name),
  })),
  {
    name: 'others',
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    exclude: [...OWN_PROCESS, ...SUBJECTS.map((name) => `test/${name}/**`)],
    isolate: true,
  },
];

/**
 * Files that take longest on two cores, longest first: begun last, one of them goes on when all others are done. A bare clone knows
 * no times of earlier runs.
 */
export const LONGEST = [
  'test/chaos.test.ts',
  'test/camunda/replay.test.ts',
  'test/end-to-end/stop-and-start.test.ts',
  'test/api/fuzz.test.ts',
  'test/activities/wake-up-races.test.ts',
  'test/end-to-end/recovery.test.ts',
  'test/embedded/start.test.ts',
  'test/end-to-end/delete-races.test.ts',
  'test/activities/delete-resources.test.ts',
  'test/end-to-end/killed-worker.test.ts',
  'test/api/outage.test.ts',
  'test/end-to-end/signal-limit.test.ts',
];

/** Files that need no server, for `npm run check`, which is to end within a minute. */
export const WITHOUT_SERVERS = [
  'test/*/{job-counts,work-result,semaphore,lost-connection,start-readiness,streamed-list}.test.ts',
  'test/chaos/{checker,guards,model,proxy}.test.ts',
  'test/{config,payload-codec,temporal-environment}.test.ts',
  'test/embedded/{compose,environment-example,exclusive,once-built,operations-page}.test.ts',
  'test/domain/*.test.ts',
  'test/store/{causal-order,errors,index-rules,item-pages,young-documents}.test.ts',
  'test/services/failures.test.ts',
  'test/workflows/{batch-progress,batch-state,next-step,plan-progress,summaries}.test.ts',
];
