import { setTimeout as sleep } from 'node:timers/promises';
import { sleepers } from './checker.ts';
import { isRemoved } from './checks/removals.ts';
import { checkTold } from './checks/told.ts';
import type { Violation } from './checks/violation.ts';
import type { DisturbedInstallation } from './installation/disturbed-installation.ts';
import type { ApiClient } from './record/client.ts';
import { batchIdsOf, type Journal } from './record/journal.ts';
import { type Places, type Snapshot, takeRawState, takeSnapshot } from './record/snapshot.ts';
import type { BatchAnswer, JsonObject } from './workload/answers.ts';
import { type KindName, kindOf, referencesOf } from './workload/definitions.ts';
import { labelOf } from './workload/import-files.ts';
import type { RequestMaker } from './workload/request-maker.ts';

const POLL_MS = 500;
const RECOVER_EVERY_MS = 6_000;
/** Time that a wake-up is given to have its effect, in ms. */
const WAKE_UP_MS = 15_000;
/** Time that recovery is given for what is left over, in ms. */
const CLEARED_MS = 15_000;
/** Time that messages to webhooks are given to arrive, in ms. */
const TOLD_MS = 60_000;
/** Longest time for a request with a key to be answered when nothing disturbs it, in ms. */
const ANSWER_MS = 30_000;

interface DrainParts {
  readonly installation: DisturbedInstallation;
  /** Calls the API without a proxy. */
  readonly client: ApiClient;
  readonly journal: Journal;
  /** Tenant -> who makes its last requests. */
  readonly makers: ReadonlyMap<string, RequestMaker>;
  /** Longest time until everything has ended or waits, in ms. */
  readonly limitMs: number;
  readonly say: (line: string) => void;
}

/**
 * Lets everything come to its end after the faults: first to where only items wait that miss something, which is checked; then
 * to where nothing waits any more, some of it by being given what it misses, the rest by cancelling.
 */
export async function drain(parts: DrainParts): Promise<{ snapshot: Snapshot; violations: Violation[] }> {
  const { installation, journal, client } = parts;
  await installation.recovered();
  const unanswered = journal.requests.filter(
    ({ key, results }) => key !== undefined && results.every(({ kind }) => kind === 'unknown'),
  );
  for (const request of unanswered) await client.sendUntilAnswered(request, Date.now() + ANSWER_MS);
  await completeImports(parts);
  const violations = await untilFinished(parts, (batch) => batch.status === 'waiting');
  violations.push(...(await stillAsleep(parts)));
  parts.say(`the load is done; ${(await openBatches(parts)).length} batches wait for missing references`);
  await undoSome(parts);
  await satisfySome(parts);
  await untilFinished(parts, (batch) => batch.status === 'waiting');
  const known = new Set(violations.map(itemOf));
  violations.push(...(await stillAsleep(parts)).filter((violation) => !known.has(itemOf(violation))));
  for (const { tenant, batch } of await openBatches(parts)) await client.control(tenant, batch.batchId, 'cancel');
  violations.push(...(await untilFinished(parts, () => false)));
  await told(parts);
  await cleared(parts);
  return { snapshot: await takeSnapshot(client, journal.tenants, placesOf(parts)), violations };
}

/** What is missing of imports in parts is sent now: no death of a process makes a client begin anew. Those that are not known are found by their label. */
async function completeImports({ client, journal }: DrainParts): Promise<void> {
  for (const tenant of journal.tenants) {
    const open = new Map((await client.imports.unfinished(tenant)).map((state) => [state.label, state]));
    for (const request of journal.requests) {
      const state = request.tenant === tenant ? open.get(labelOf(request)) : undefined;
      if (state === undefined || state.sealed || request.import?.parts === undefined) continue;
      const deadline = Date.now() + ANSWER_MS;
      while (!(await client.imports.complete(request, state.importId)) && Date.now() < deadline) await sleep(POLL_MS);
    }
  }
}

const placesOf = ({ installation, journal }: DrainParts): Places => ({
  uri: installation.mongodbUri,
  database: installation.database,
  temporalAddress: installation.temporalAddress,
  removed: journal.removals.filter(isRemoved),
});

/** Waits until every end has arrived at the receivers of webhooks: what has failed before is sent again now, in place of minutes later. */
async function told(parts: DrainParts): Promise<void> {
  const { client, journal, installation } = parts;
  const deadline = Date.now() + TOLD_MS;
  const isTold = async (): Promise<boolean> =>
    checkTold(journal, await takeSnapshot(client, journal.tenants, placesOf(parts))).length === 0;
  while (!(await isTold()) && Date.now() < deadline) {
    await installation.recoverNow();
    for (const { tenant, webhookId } of journal.webhooks) await client.hurryDeliveries(tenant, webhookId);
    await sleep(POLL_MS);
  }
}

/** Waits until nothing is left over, as long as recovery may take for it. */
async function cleared(parts: DrainParts): Promise<void> {
  const deadline = Date.now() + CLEARED_MS;
  while ((await takeRawState(placesOf(parts))).leftovers.length > 0 && Date.now() < deadline) {
    await parts.installation.recoverNow();
    await sleep(2_000);
  }
}

async function openBatches({ client, journal }: DrainParts): Promise<{ tenant: string; batch: BatchAnswer }[]> {
  const all = await Promise.all(
    journal.tenants.map(async (tenant) => (await client.unfinished(tenant)).map((batch) => ({ tenant, batch }))),
  );
  return all.flat();
}

async function openOperations({ client, journal }: DrainParts): Promise<string[]> {
  return (await Promise.all(journal.tenants.map((tenant) => client.unfinishedOperations(tenant)))).flat();
}

async function openImports({ client, journal }: DrainParts) {
  const all = journal.tenants.map(async (tenant) =>
    (await client.imports.unfinished(tenant)).map((state) => ({ tenant, state })),
  );
  return (await Promise.all(all)).flat();
}

/** Waits until every import has ended, and every batch, or may stay as it is. @returns those that do not get there in time. */
async function untilFinished(parts: DrainParts, mayStay: (batch: BatchAnswer) => boolean): Promise<Violation[]> {
  const { client, installation, limitMs } = parts;
  const deadline = Date.now() + limitMs;
  let recoverAt = Date.now();
  for (;;) {
    const imports = await openImports(parts);
    const open = (await openBatches(parts)).filter(({ batch }) => batch.suspended || !mayStay(batch));
    const operations = await openOperations(parts);
    if (open.length === 0 && imports.length === 0 && operations.length === 0) return [];
    if (Date.now() > deadline) {
      const endless = imports.map(({ tenant, state }) => ({
        rule: 'import not ended',
        tenant,
        batchId: state.importId,
        detail: `${limitMs / 1000} s after the faults it is ${JSON.stringify(state)}`,
      }));
      const running = open.map(({ tenant, batch: { batchId, status, suspended, counts } }) => ({
        rule: 'batch not ended',
        tenant,
        batchId,
        detail: `${limitMs / 1000} s after the faults it is ${status}${suspended ? ', suspended' : ''}, counts ${JSON.stringify(counts)}`,
      }));
      const undos = operations.map((batchId) => ({
        rule: 'undo not ended',
        batchId,
        detail: `${limitMs / 1000} s after the faults the bulk operation has not ended`,
      }));
      return [...endless, ...running, ...undos];
    }
    for (const { tenant, state } of imports)
      if (state.suspended) await client.imports.control(tenant, state.importId, 'resume');
    for (const { tenant, batch } of open) if (batch.suspended) await client.control(tenant, batch.batchId, 'resume');
    if (Date.now() >= recoverAt) {
      await installation.recoverNow();
      recoverAt = Date.now() + RECOVER_EVERY_MS;
    }
    await sleep(POLL_MS);
  }
}

/**
 * Items that sleep although they could be applied, and do not wake between the end of one check, which takes long on a busy machine,
 * and the beginning of the next.
 */
async function stillAsleep(parts: DrainParts): Promise<Violation[]> {
  const findSleeping = async (): Promise<Violation[]> =>
    sleepers(parts.journal, await takeSnapshot(parts.client, parts.journal.tenants, placesOf(parts)));
  let asleep = await findSleeping();
  const deadline = Date.now() + WAKE_UP_MS;
  while (asleep.length > 0) {
    await sleep(POLL_MS);
    const begun = Date.now();
    const now = new Set((await findSleeping()).map(itemOf));
    asleep = asleep.filter((violation) => now.has(itemOf(violation)));
    if (begun > deadline) break;
  }
  return asleep;
}

const itemOf = ({ batchId, item }: Violation): string => `${batchId} ${item}`;

/** Takes back some of what can be undone and was not, while others go on. */
async function undoSome({ client, journal }: DrainParts): Promise<void> {
  const undoable = journal.requests.filter(({ options }) => options.undoable);
  for (const [at, request] of undoable.entries())
    for (const id of at % 3 === 0 ? batchIdsOf(request) : [])
      await client.undo(request.tenant, id, request.import !== undefined);
}

/** Gives most of the batches that wait what they miss. */
async function satisfySome(parts: DrainParts): Promise<void> {
  const { client, journal, makers } = parts;
  const byId = new Map(journal.requests.flatMap((request) => batchIdsOf(request).map((id) => [id, request] as const)));
  const wanted = new Map<string, Map<KindName, Set<string>>>();
  for (const [at, { tenant, batch }] of (await openBatches(parts)).entries()) {
    // the third of them is cancelled while it waits
    if (at % 3 === 2) continue;
    const request = byId.get(batch.batchId);
    for (const { body } of request?.items ?? []) {
      for (const { kind, externalId } of referencesOf(kindOf(request?.kind ?? 'place'), body ?? {})) {
        const byKind = wanted.get(tenant) ?? new Map<KindName, Set<string>>();
        wanted.set(tenant, byKind.set(kind, (byKind.get(kind) ?? new Set()).add(externalId)));
      }
    }
  }
  for (const [tenant, byKind] of wanted) {
    const make = makers.get(tenant);
    for (const [kind, ids] of byKind) {
      if (make === undefined) continue;
      const body = (externalId: string, stamp: string): JsonObject =>
        make.body(kind, externalId, stamp, { references: {}, texts: ['name', 'note'] });
      const request = make.request({ operation: 'upload', kind, key: `drain-${tenant}-${kind}` }, (stamp) =>
        [...ids]
          .slice(0, 1000)
          .map((externalId, index) => ({ externalId, body: body(externalId, `${stamp}.${index}`) })),
      );
      journal.requests.push(request);
      await client.sendUntilAnswered(request, Date.now() + ANSWER_MS);
    }
  }
}
