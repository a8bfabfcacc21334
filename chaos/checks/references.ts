import type { Journal, Verb } from '../record/journal.ts';
import type { Snapshot, TenantState } from '../record/snapshot.ts';
import type { ItemAnswer } from '../workload/answers.ts';
import { type FoundReference, kindOf, referencesOf } from '../workload/definitions.ts';
import { type History, historyId } from './history.ts';
import type { Match } from './matched.ts';
import type { Violation } from './violation.ts';

/** No resource refers to one that is not there (invariant 3), and what is stored about references is what the data says. */
export function checkDangling({ definitions }: Journal, { tenants, raw }: Snapshot): Violation[] {
  const references = new Map(raw.resources.map((resource) => [resource.key, resource.references]));
  return tenants.flatMap(({ tenant, resources }) => {
    const there = presentIn({ resources });
    return resources.flatMap(({ kind, resourceExternalId, data }): Violation[] => {
      const about = { tenant, key: `${kind}/${resourceExternalId}` };
      const found = referencesOf(kindOf(kind), data);
      const dangling = found.filter((reference) => !there.has(idOf(reference)));
      const keys = found.map((reference) => `default/${tenant}/${definitions[reference.kind]}/${reference.externalId}`);
      const stored = references.get(`default/${tenant}/${definitions[kind]}/${resourceExternalId}`) ?? [];
      return [
        ...dangling.map((reference) => ({
          ...about,
          rule: 'dangling reference',
          detail: `it refers to ${idOf(reference)}, which is not there`,
        })),
        ...(keys.sort().join() === [...stored].sort().join()
          ? []
          : [
              {
                ...about,
                rule: 'references differ',
                detail: `stored are ${stored.join(', ')}; the data has ${keys.join(', ')}`,
              },
            ]),
      ];
    });
  });
}

const idOf = ({ kind, externalId }: FoundReference): string => `${kind}/${externalId}`;
const presentIn = ({ resources }: Pick<TenantState, 'resources'>): Set<string> =>
  new Set(resources.map(({ kind, resourceExternalId }) => `${kind}/${resourceExternalId}`));

/** Pending items that could be applied (invariant 5): all missing references exist, or are pending with them. */
export function findSleepers(matches: readonly Match[], { tenants }: Pick<Snapshot, 'tenants'>): Violation[] {
  return tenants.flatMap((state) => {
    const there = presentIn(state);
    let asleep = matches.filter(({ tenant }) => tenant === state.tenant).flatMap(pendingOf);
    for (let before = -1; before !== asleep.length; ) {
      before = asleep.length;
      const together = new Set(asleep.map(({ key }) => key));
      asleep = asleep.filter(({ needs }) => needs.every((need) => there.has(need) || together.has(need)));
    }
    return asleep.map(({ match, item, key, needs }): Violation => {
      const detail = `all that it refers to is there, or pending with it: ${needs.join(', ')}`;
      return {
        rule: 'asleep',
        tenant: state.tenant,
        batchId: match.state.batch.batchId,
        request: match.request.number,
        item: item.index,
        key,
        detail,
      };
    });
  });
}

function pendingOf(match: Match) {
  const { request, state } = match;
  return (state.items ?? []).flatMap((item) => {
    const body = request.items[item.index]?.body;
    if (item.status !== 'pending' || body === undefined) return [];
    return [
      {
        match,
        item,
        key: `${request.kind}/${item.externalId}`,
        needs: referencesOf(kindOf(request.kind), body).map(idOf),
      },
    ];
  });
}

/**
 * Items that failed or expired for want of something that was certainly there, and items that succeeded with a reference to
 * something that certainly was not (invariants 3 and 5).
 */
export function checkMissing(
  histories: ReadonlyMap<string, History>,
  matches: readonly Match[],
  {
    controls,
    clocksOffMs,
  }: { readonly controls: ReadonlyMap<string, ReadonlySet<Verb>>; readonly clocksOffMs: number },
): Violation[] {
  return matches.flatMap((match) => {
    const asked = controls.get(match.state.batch.batchId);
    const findings = (match.state.items ?? []).flatMap((item) => [
      ...referredToNothing(histories, match, item),
      // a suspended batch does not check for missing references, and the times of checks by a retry are not known
      ...(asked?.has('suspend') || asked?.has('retry') ? [] : wronglyMissed(histories, match, item, clocksOffMs)),
    ]);
    return findings.map(({ rule, item, detail }) => ({
      rule,
      tenant: match.tenant,
      batchId: match.state.batch.batchId,
      request: match.request.number,
      item,
      detail,
    }));
  });
}

interface Finding {
  readonly rule: string;
  readonly item: number;
  readonly detail: string;
}

function referredToNothing(
  histories: ReadonlyMap<string, History>,
  { tenant, request, endedBy }: Match,
  { index, status }: ItemAnswer,
): Finding[] {
  const body = request.items[index]?.body;
  if (status !== 'succeeded' || body === undefined) return [];
  return referencesOf(kindOf(request.kind), body).flatMap((reference) => {
    const { writes = [], maybes = [] } = histories.get(historyId(tenant, reference.kind, reference.externalId)) ?? {};
    if ([...writes.map(({ event }) => event), ...maybes].some(({ from }) => from <= endedBy)) return [];
    return [
      { rule: 'reference to nothing', item: index, detail: `it succeeded, and ${idOf(reference)} was never there` },
    ];
  });
}

function wronglyMissed(
  histories: ReadonlyMap<string, History>,
  { tenant, request, from: begun, endedBy }: Match,
  { index, status, missingDependencies = [] }: ItemAnswer,
  clocksOffMs: number,
): Finding[] {
  if (!['failed', 'expired'].includes(status) || missingDependencies.length === 0) return [];
  // a deadline is set by the clock of one worker, and met by that of another
  const wait = status === 'expired' ? (request.options.dependencyWaitTimeout ?? 0) * 1000 - 2 * clocksOffMs : 0;
  const [from, to] = [begun + Math.max(wait, 0), endedBy];
  const wasThere = ({ schemaName, externalId }: { schemaName: string; externalId: string }): boolean =>
    certainlyThere(histories.get(historyId(tenant, schemaName, externalId)), from, to);
  const wrongly = missingDependencies.filter(wasThere);
  // one that expires misses something of its list; one that fails names what it misses
  if (wrongly.length === 0 || (status === 'expired' && wrongly.length < missingDependencies.length)) return [];
  return [
    {
      rule: 'wrongly missing',
      item: index,
      detail: `it ${status} for want of ${wrongly.map(({ schemaName, externalId }) => `${schemaName}/${externalId}`).join(', ')}, there all the time`,
    },
  ];
}

/** Whether the resource was there at every moment between two. */
function certainlyThere(history: History | undefined, from: number, to: number): boolean {
  if (history === undefined) return false;
  // an item whose batch was removed may have deleted it, or created it anew; and so may an undo
  if (history.maybes.length > 0 || history.reverted.length > 0) return false;
  const created = history.writes.filter(({ event }) => event.effect.kind === 'created').length;
  // a cascade may have deleted it at any time
  if (created - history.removals.length > (history.end === null ? 0 : 1)) return false;
  return history.writes.some(
    ({ event: write }) =>
      write.to < from && history.removals.every(({ event }) => event.to < write.from || event.from > to),
  );
}
