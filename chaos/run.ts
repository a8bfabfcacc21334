import { setMaxListeners } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { check } from './checker.ts';
import { drain } from './drain.ts';
import type { Faults } from './faults/faults.ts';
import type { GuardName } from './faults/guards.ts';
import { killAtRandom, pauseAtRandom } from './faults/killer.ts';
import { disturb, EVERY_FAULT } from './faults/network-faults.ts';
import { refuseStarts } from './faults/refused-starts.ts';
import { copySources } from './faults/sources.ts';
import { type FaultFacts, neverHappened, whatHappened } from './happened.ts';
import { CLOCKS_OFF_MS, DisturbedInstallation } from './installation/disturbed-installation.ts';
import { ApiClient } from './record/client.ts';
import type { Journal } from './record/journal.ts';
import { Observer } from './record/observer.ts';
import { Receiver } from './record/receiver.ts';
import { type ChaosReport, reportOf } from './report.ts';
import { KINDS, type KindName } from './workload/definitions.ts';
import { Random } from './workload/random.ts';
import { Numbering, RequestMaker } from './workload/request-maker.ts';
import { actAtRandom, actionsOf, EVERYTHING, type Workload } from './workload/workload.ts';
import { World } from './workload/world.ts';

export interface ChaosOptions {
  readonly seed: string;
  readonly loadSeconds: number;
  readonly workload?: Workload;
  readonly faults?: Faults;
  /** A guard that the service is to lack. */
  readonly without?: GuardName;
  /** Longest time for all to end after the faults, in ms. Default 90,000. */
  readonly drainLimitMs?: number;
  readonly say?: (line: string) => void;
  /** When to keep data, logs and journal of the run. Default: where there are violations. */
  readonly keep?: 'always' | 'violations' | 'never';
  /** Ends the run at once; what was started is stopped. */
  readonly signal?: AbortSignal;
}

const TENANTS = ['alpha', 'beta'] as const;
const CLIENTS_PER_TENANT = 3;
/** Batches that clients leave open at a time. */
const MAX_OPEN = 50;
const USES_PER_STEP = 6;
/** Shorter runs would be paused for most of their time. */
const MIN_SECONDS_WITH_PAUSES = 90;
const USUAL_FAULTS: Faults = {
  killEveryMs: 3_500,
  pauseEveryMs: 15_000,
  refuseStartsEveryMs: 60_000,
  network: EVERY_FAULT,
  standing: [],
};
/** Shorter runs need not have everything in them: they say what they lack. */
const MIN_SECONDS_FOR_EVERYTHING = 300;
const DRAIN_LIMIT_MS = 90_000;
/** Longest time for what there is to begin with, in ms. */
const FILL_MS = 20_000;

/** One run: load under faults, then quiet until all has ended, then the proof. Whatever happens, nothing it started stays. */
export async function runChaos(options: ChaosOptions): Promise<{ report: ChaosReport; folder: string | null }> {
  const { seed, say = () => undefined, signal, keep = 'violations' } = options;
  const folder = await mkdtemp(join(tmpdir(), 'drover-chaos-'));
  const random = new Random(seed);
  let installation: DisturbedInstallation | undefined;
  const stop = (): void => void installation?.stop();
  signal?.addEventListener('abort', stop);
  let isKept = keep !== 'never';
  try {
    const sources = join(folder, 'sources');
    await copySources(sources, options.without);
    installation = await DisturbedInstallation.start({ random: random.fork('ports'), folder, sources, say });
    const { report, journal } = await new Run(options, installation, random, say).run();
    isKept = keep === 'always' || (keep === 'violations' && report.violations.length > 0);
    if (isKept) await writeFile(join(folder, 'journal.json'), JSON.stringify({ report, journal }, null, 1));
    return { report, folder: isKept ? folder : null };
  } finally {
    signal?.removeEventListener('abort', stop);
    await installation?.stop();
    if (!isKept || signal?.aborted) await rm(folder, { recursive: true, force: true });
    else say(`data, logs and journal are kept in ${folder}`);
  }
}

class Run {
  readonly #options: ChaosOptions;
  readonly #installation: DisturbedInstallation;
  readonly #random: Random;
  readonly #say: (line: string) => void;
  readonly #worlds = new Map(TENANTS.map((tenant): [string, World] => [tenant, new World(USES_PER_STEP)]));
  readonly #numbering = new Numbering();
  #refusals = 0;

  constructor(options: ChaosOptions, installation: DisturbedInstallation, random: Random, say: (line: string) => void) {
    this.#options = options;
    this.#installation = installation;
    this.#random = random;
    this.#say = say;
  }

  async run(): Promise<{ report: ChaosReport; journal: Journal }> {
    const journal = await this.#newJournal();
    const receiver = await Receiver.start(journal.told, this.#random.fork('receiver'));
    try {
      return await this.#runWith(journal, receiver);
    } finally {
      await receiver.stop();
    }
  }

  async #runWith(journal: Journal, receiver: Receiver): Promise<{ report: ChaosReport; journal: Journal }> {
    const direct = new ApiClient(this.#installation.apiUrl, journal);
    for (const tenant of TENANTS) await direct.createWebhook(tenant, receiver.urlFor(tenant));
    await this.#fill(journal);
    const started = performance.now();
    await this.#load(journal);
    const loaded = performance.now();
    this.#say('the faults are over');
    receiver.isCalm = true;
    const makers = new Map([...this.#worlds].map(([tenant, world]) => [tenant, this.#maker(tenant, world, 'drain')]));
    const limitMs = this.#options.drainLimitMs ?? DRAIN_LIMIT_MS;
    const { snapshot, violations } = await drain({
      installation: this.#installation,
      client: direct,
      journal,
      makers,
      limitMs,
      say: this.#say,
    });
    const findings = check(journal, snapshot);
    const faults = this.#faults();
    const happened = whatHappened(journal, actionsOf(this.#options.workload ?? EVERYTHING), faults);
    const never = this.#isToHaveEverything() ? neverHappened(happened) : [];
    const report = reportOf({
      ...faults,
      happened,
      loadSeconds: (loaded - started) / 1000,
      drainSeconds: (performance.now() - loaded) / 1000,
      journal,
      snapshot,
      findings: {
        ...findings,
        violations: [
          ...violations,
          ...findings.violations,
          ...never.map((detail) => ({ rule: 'never happened', detail })),
        ],
      },
    });
    return { report, journal };
  }

  async #newJournal(): Promise<Journal> {
    const journal: Journal = {
      seed: this.#options.seed,
      clocksOffMs: CLOCKS_OFF_MS,
      definitions: {} as Record<KindName, string>,
      definitionChanges: {},
      actions: {},
      tenants: TENANTS,
      requests: [],
      controls: [],
      halts: [],
      removals: [],
      undos: [],
      webhooks: [],
      told: [],
      reads: [],
      seen: [],
      wrongAnswers: [],
    };
    const client = new ApiClient(this.#installation.apiUrl, journal);
    const ids = await Promise.all(KINDS.map(async ({ name }) => [name, await client.define(name)] as const));
    return { ...journal, definitions: Object.fromEntries(ids) as Record<KindName, string> };
  }

  /** Initial resources, so that the first patches, references and deletes meet something. */
  async #fill(journal: Journal): Promise<void> {
    const client = new ApiClient(this.#installation.apiUrl, journal);
    for (const [tenant, world] of this.#worlds) {
      const make = this.#maker(tenant, world, 'fill');
      for (const { name } of KINDS) {
        const request = make.request({ operation: 'upload', kind: name }, (mark) =>
          world.window(name).map((externalId, at) => ({
            externalId,
            body: make.body(name, externalId, `${mark}.${at}`, { references: {} }),
          })),
        );
        journal.requests.push(request);
        await client.send(request);
        for (const { externalId } of request.items) if (externalId !== null) world.note(name, externalId, true);
      }
    }
    const deadline = Date.now() + FILL_MS;
    const isFilling = async (): Promise<boolean> =>
      (await Promise.all(TENANTS.map((tenant) => client.unfinished(tenant)))).flat().length > 0;
    while ((await isFilling()) && Date.now() < deadline) await sleep(200);
  }

  /** Clients act while processes are killed and the network is disturbed. */
  async #load(journal: Journal): Promise<void> {
    const { loadSeconds, workload = EVERYTHING, faults = USUAL_FAULTS, signal } = this.#options;
    const random = this.#random;
    const client = new ApiClient(this.#installation.clientUrl, journal);
    const observer = new Observer(client, journal, this.#worlds);
    const over = new AbortController();
    setMaxListeners(0, over.signal);
    const stopped = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
    setMaxListeners(0, stopped);
    const sessions = [...this.#worlds].flatMap(([tenant, world]) =>
      Array.from({ length: CLIENTS_PER_TENANT }, (_, n) => {
        const name = `client ${tenant} ${n}`;
        return {
          tenant,
          random: random.fork(name),
          make: this.#maker(tenant, world, name),
          client,
          observer,
          journal,
          stopped,
        };
      }),
    );
    const running = [
      ...sessions.map((session) => actAtRandom(session, workload, MAX_OPEN)),
      observer.watchBatches(stopped),
      observer.readResources(
        random.fork('reads'),
        KINDS.map(({ name }) => name),
        stopped,
      ),
      ...this.#installation.proxies.map(({ proxy, meanMs }) =>
        disturb(
          proxy,
          random.fork(proxy.name),
          { meanMs, weights: faults.network, standing: faults.standing },
          stopped,
        ),
      ),
      ...(faults.refuseStartsEveryMs === undefined ? [] : [this.#refuseStarts(faults.refuseStartsEveryMs, stopped)]),
      ...(faults.killEveryMs === null
        ? []
        : [killAtRandom(this.#installation.victims, random.fork('killer'), faults.killEveryMs, stopped)]),
      ...(faults.pauseEveryMs === null || !this.#hasPauses()
        ? []
        : [pauseAtRandom(this.#installation.victims, random.fork('pauses'), faults.pauseEveryMs, stopped)]),
    ];
    const ended = Promise.all(running);
    await Promise.race([sleep(loadSeconds * 1000, undefined, { signal: stopped }).catch(() => undefined), ended]);
    over.abort();
    await ended;
    signal?.throwIfAborted();
  }

  async #refuseStarts(meanMs: number, stopped: AbortSignal): Promise<void> {
    const address = this.#installation.temporalAddress;
    this.#refusals = await refuseStarts({ address, random: this.#random.fork('refused starts'), meanMs }, stopped);
  }

  #maker(tenant: string, world: World, name: string): RequestMaker {
    return new RequestMaker(tenant, world, this.#random.fork(`requests of ${name} ${tenant}`), this.#numbering);
  }

  /** A long run in which some action or fault never happened has not shown what it was to show. */
  #isToHaveEverything(): boolean {
    const { loadSeconds, workload, faults } = this.#options;
    return loadSeconds >= MIN_SECONDS_FOR_EVERYTHING && workload === undefined && faults === undefined;
  }

  #hasPauses(): boolean {
    const { loadSeconds, faults = USUAL_FAULTS } = this.#options;
    return faults.pauseEveryMs !== null && loadSeconds >= MIN_SECONDS_WITH_PAUSES;
  }

  #faults(): FaultFacts & Pick<ChaosReport, 'ownEnds'> {
    const { victims, proxies } = this.#installation;
    return {
      refusals: (this.#options.faults ?? USUAL_FAULTS).refuseStartsEveryMs === undefined ? null : this.#refusals,
      pauses: this.#hasPauses()
        ? Object.fromEntries(victims.map(({ process }) => [process.name, process.pauses]))
        : null,
      kills: Object.fromEntries(victims.map(({ process }) => [process.name, process.kills])),
      ownEnds: Object.fromEntries(victims.map(({ process }) => [process.name, process.ownEnds])),
      faults: Object.fromEntries(proxies.map(({ proxy }) => [proxy.name, proxy.counts])),
    };
  }
}
