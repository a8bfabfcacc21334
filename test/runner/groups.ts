/** Files that measure memory, time or threads, or need much of them. No more of them run at a time than there are cores in CI. */
const MEASURING = [
  'test/chaos/run.test.ts',
  'test/bench/workloads.test.ts',
  'test/chaos/*.test.ts',
  'test/services/writes/decide-within-budget.test.ts',
  'test/api/middleware/body-rate.test.ts',
  'test/api/busy-process.test.ts',
  'test/api/camunda/bounds.test.ts',
  'test/api/routes/resources/dry-run-memory.test.ts',
  'test/api/fuzz.test.ts',
  'test/api/hostile-input.test.ts',
  'test/api/middleware/outage.test.ts',
  'test/api/middleware/limit-load.test.ts',
  'test/end-to-end/control/control-without-temporal.test.ts',
  'test/end-to-end/wait/expiry.test.ts',
  'test/end-to-end/write/costly-schemas.test.ts',
  'test/end-to-end/write/fairness.test.ts',
  'test/end-to-end/write/large-and-odd.test.ts',
  'test/end-to-end/operation/stop-and-start.test.ts',
  'test/services/definitions/validation-threads.test.ts',
  'test/store/document-sizes.test.ts',
  'test/store/mongodb/{command-time,recent-documents}.test.ts',
  'test/testkit/delay-line.test.ts',
  // the SDK gives their server 5 s to start
  'test/testkit/time-skipping.test.ts',
  'test/workflows/batch-in-time.test.ts',
];

/**
 * Files that need or change the process. A separate process costs some 2 s of CPU for loading Temporal's SDK, MongoDB's driver and Hono, so
 * the files of a subject share processes, in each of which they run one after the other; each of these has a separate one.
 */
const OWN_PROCESS = [
  // install the SDK's runtime, of which a process has only one, with a log or metrics of their own
  'test/workflows/*.test.ts',
  'test/worker/*.test.ts',
  'test/end-to-end/operation/secrets.test.ts',
  'test/end-to-end/operation/encryption.test.ts',
  'test/end-to-end/operation/two-versions.test.ts',
  // replace modules, clocks, or methods of a library
  'test/api/routes/resources/dry-run-timeout.test.ts',
  'test/api/camunda/streamed-list.test.ts',
  'test/api/state/start-readiness.test.ts',
  'test/activities/recovery/clocks.test.ts',
  'test/end-to-end/operation/head-and-streams.test.ts',
  'test/end-to-end/write/moving-documents.test.ts',
  'test/store/mongodb/queries.test.ts',
];

/** A group of files: those of a subject, a folder of `test/`. */
interface Subject {
  readonly folder: string;
  /** Folders in it that are a subject of their own. */
  readonly without?: readonly string[];
  /** Whether its files share processes: one file after the other in each. Default: true. */
  readonly sharing?: boolean;
  /** Whether its files keep a core busy, and so run with those that measure. Default: false. */
  readonly busy?: boolean;
}

/** Folders of `test/`, each a group. */
const SUBJECTS: readonly Subject[] = [
  { folder: 'api', without: ['api/camunda'], busy: true },
  { folder: 'domain', busy: true },
  { folder: 'embedded', sharing: false },
  { folder: 'end-to-end' },
  { folder: 'activities' },
  { folder: 'api/camunda' },
  { folder: 'isolation' },
  { folder: 'services' },
  { folder: 'store' },
];

const below = (folder: string): string => `test/${folder}/**`;

/**
 * First run the files that measure, and those that share a process, as these are short and busy. All others mostly wait, for timeouts of activities and
 * tasks, for retries and for servers that start, so that three keep two cores busy.
 */
const FIRST = { maxWorkers: 2, sequence: { groupOrder: 0 } };
const WAITING = { maxWorkers: 3, sequence: { groupOrder: 1 } };

/** Each of these has a process of its own. */
export const SEPARATE = [...MEASURING, ...OWN_PROCESS];

interface Group {
  readonly name: string;
  readonly include: string[];
  readonly exclude: string[];
  readonly isolate: boolean;
  readonly maxWorkers: number;
  readonly sequence: { readonly groupOrder: number };
}

/** Groups of files by name: those that measure, those that need a process, and those of a subject. Every test file is in one of them. */
export const GROUPS: readonly Group[] = [
  { name: 'measuring', include: MEASURING, exclude: [], isolate: true, ...FIRST },
  { name: 'own-process', include: OWN_PROCESS, exclude: MEASURING, isolate: true, ...WAITING },
  ...SUBJECTS.map(({ folder, without = [], sharing = true, busy = false }) => ({
    name: folder.replaceAll('/', '-'),
    include: [`test/${folder}/**/*.test.ts`],
    exclude: [...SEPARATE, ...without.map(below)],
    isolate: !sharing,
    ...(busy ? FIRST : WAITING),
  })),
  {
    name: 'others',
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    exclude: [...SEPARATE, ...SUBJECTS.map(({ folder }) => below(folder))],
    isolate: true,
    ...WAITING,
  },
];

/**
 * The files that take longest on two cores, longest first: if one of them started last, it would still run when all others are done.
 * A bare clone has no times of earlier runs.
 */
export const LONGEST = [
  'test/end-to-end/operation/stop-and-start.test.ts',
  'test/chaos/run.test.ts',
  'test/bench/workloads.test.ts',
  'test/api/middleware/outage.test.ts',
  'test/api/fuzz.test.ts',
  'test/end-to-end/write/costly-schemas.test.ts',
  'test/end-to-end/write/large-and-odd.test.ts',
  'test/end-to-end/control/control-without-temporal.test.ts',
  'test/activities/wait/wake-up-races.test.ts',
  'test/end-to-end/recovery/recovery.test.ts',
  'test/embedded/workers/worker-processes.test.ts',
  'test/end-to-end/recovery/killed-worker.test.ts',
  'test/end-to-end/recovery/failing-writes.test.ts',
  'test/end-to-end/wait/wake-up-races.test.ts',
  'test/api/camunda/many.test.ts',
  'test/activities/recovery/pace.test.ts',
  'test/embedded/start.test.ts',
  'test/end-to-end/delete/delete.test.ts',
  'test/api/camunda/recorded/replay.test.ts',
  'test/end-to-end/delete/delete-races.test.ts',
];

/** Files that need no server, for `npm run check`, which is to end within a minute. */
export const WITHOUT_SERVERS = [
  'packages/cli/test/{exits,settings,terminal,usage}.test.ts',
  'packages/client/test/{bulk,temporal,transport,types,wait,webhooks}.test.ts',
  'packages/dashboard/test/pictures.test.ts',
  'test/activities/lost-connection.test.ts',
  'test/activities/write/work-result.test.ts',
  'test/api/camunda/streamed-list.test.ts',
  'test/api/{http/read-content,openapi-rules,routes/docs,routes/imports/csv-content}.test.ts',
  'test/api/state/start-readiness.test.ts',
  'test/bench/{figures,server-asked,turns}.test.ts',
  'test/chaos/{checker,guards,model,request-maker}.test.ts',
  'test/docs/{compose,day-two,documents,environment-example,limits-table,operations-page}.test.ts',
  'test/domain/**/*.test.ts',
  'test/embedded/{exclusive,once-built}.test.ts',
  'test/embedded/workers/layout.test.ts',
  'test/process/{config,connections,payload-codec,temporal-environment}.test.ts',
  'test/runner/groups.test.ts',
  'test/services/failures.test.ts',
  'test/services/imports/**/*.test.ts',
  'test/services/writes/semaphore.test.ts',
  'test/services/webhooks/*.test.ts',
  'test/store/items/{item-pages,sent-rows}.test.ts',
  'test/store/mongodb/{causal-order,errors,index-rules,recent-documents}.test.ts',
  'test/structure/*.test.ts',
  'test/supply/licences.test.ts',
  'test/testkit/{delay-line,proxy}.test.ts',
  'test/workflows/{batch-progress,batch-state,import-progress,next-step,plan-progress,summaries}.test.ts',
];
