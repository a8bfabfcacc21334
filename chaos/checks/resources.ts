import type { Journal } from '../record/journal.ts';
import type { Snapshot, TenantState } from '../record/snapshot.ts';
import { canonical } from '../workload/answers.ts';
import { kindOf } from '../workload/definitions.ts';
import { type History, historyId, maybeEffects } from './history.ts';
import type { Match } from './matched.ts';
import { type Event, explain } from './model.ts';
import type { Violation } from './violation.ts';

/** What is stored is what the outcomes say (invariants 2 and 4). @returns also how many histories could not be decided. */
export function checkResources(
  histories: ReadonlyMap<string, History>,
  matches: readonly Match[],
): { violations: Violation[]; open: number } {
  const violations: Violation[] = [];
  let open = 0;
  const cascades = cascadesByTenant(matches);
  const cascaded = new Map<string, { least: number; most: number }>();
  for (const history of histories.values()) {
    const { tenant, key, events, writes, removals, undone, end } = history;
    const created = writes.filter(({ event }) => event.effect.kind === 'created').length + undone.created;
    const missing = created - removals.length - undone.removed - (end === null ? 0 : 1);
    // resources that were deleted without an item that says so: by cascades, or by items whose batch was removed
    const maybes = maybeEffects(history).map(({ kind }) => kind);
    const most = missing + maybes.filter((kind) => kind === 'created').length;
    const perhaps = maybes.filter((kind) => kind === 'removed').length + undone.perhapsRemoved;
    const least = Math.max(missing - perhaps, 0);
    const before = cascaded.get(tenant) ?? { least: 0, most: 0 };
    cascaded.set(tenant, { least: before.least + least, most: before.most + Math.max(most, 0) });
    violations.push(...checkValues(history));
    const detail = (why: string): string =>
      `${why}; created by ${created}, deleted by ${removals.length} items, ${end === null ? 'not there' : `there in version ${end.version}`} at the end`;
    if (most < 0) {
      violations.push({
        ...aboutOf(history),
        rule: 'effects do not add up',
        detail: detail('more ends than beginnings'),
      });
      continue;
    }
    const gone = Array.from(
      { length: most },
      (_, n): Event => ({
        what: `cascade ${n + 1}`,
        ...(cascades.get(tenant) ?? NEVER),
        effect: n < least ? { kind: 'removed' } : { kind: 'maybe', effects: [{ kind: 'removed' }] },
      }),
    );
    const verdict = explain([...events, ...gone], end);
    if (verdict.kind === 'open') open += 1;
    if (verdict.kind === 'contradiction')
      violations.push({
        ...aboutOf(history),
        rule: 'no order explains it',
        detail: detail(`${key}: ${verdict.detail}`),
      });
  }
  for (const [tenant, { least, most }] of cascaded) {
    const reported = matches.reduce(
      (sum, match) => sum + (match.tenant === tenant ? (match.state.batch.actions.cascaded ?? 0) : 0),
      -knownCascades(histories, tenant),
    );
    if (reported < least || reported > most)
      violations.push({
        tenant,
        rule: 'cascades do not add up',
        detail: `batches report ${reported} cascaded deletions, ${least === most ? least : `${least} to ${most}`} resources were deleted that way`,
      });
  }
  return { violations, open };
}

/** Cascaded deletions that are known one by one: those of deletes that were undone. */
const knownCascades = (histories: ReadonlyMap<string, History>, tenant: string): number =>
  [...histories.values()].reduce(
    (sum, history) =>
      sum + (history.tenant === tenant ? history.removals.filter(({ isCascaded }) => isCascaded).length : 0),
    0,
  );

const NEVER = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };

/** The time in which cascades of a tenant can have deleted. */
function cascadesByTenant(matches: readonly Match[]): Map<string, { from: number; to: number }> {
  const spans = new Map<string, { from: number; to: number }>();
  for (const { tenant, state, from: begun, endedBy } of matches) {
    if (!state.batch.actions.cascaded) continue;
    const { from, to } = spans.get(tenant) ?? { from: Number.POSITIVE_INFINITY, to: 0 };
    spans.set(tenant, { from: Math.min(from, begun), to: Math.max(to, endedBy) });
  }
  return spans;
}

/** The request and item that wrote last, where an investigation can begin. */
function aboutOf({
  tenant,
  key,
  writes,
  removals,
}: History): Pick<Violation, 'tenant' | 'key' | 'batchId' | 'request' | 'item'> {
  const last = [...writes, ...removals].sort((a, b) => a.event.from - b.event.from).at(-1);
  return {
    tenant,
    key,
    ...(last && { batchId: last.match.state.batch.batchId, request: last.match.request.number, item: last.item.index }),
  };
}

/** Every text comes from an item that has succeeded on this resource. */
function checkValues(history: History): Violation[] {
  const { tenant, key, writes, end } = history;
  const effects = [...writes.map(({ event }) => event.effect), ...maybeEffects(history)];
  if (end === null) return [];
  const written = new Set(
    effects.flatMap((effect) => ('body' in effect ? Object.entries(effect.body).map(canonical) : [])),
  );
  const kind = kindOf(key.slice(0, key.indexOf('/')));
  return kind.texts.flatMap((field): Violation[] => {
    const value = end.data[field];
    if (value === undefined || written.has(canonical([field, value]))) return [];
    return [
      {
        tenant,
        key,
        rule: 'value without a writer',
        detail: `${field} is ${canonical(value)}: no item that succeeded on this resource has written it`,
      },
    ];
  });
}

/** Within a life (its id) versions only grow, one version is one content, and a life that has ended stays so. */
export function checkReads({ reads }: Journal, histories: ReadonlyMap<string, History>): Violation[] {
  const violations: Violation[] = [];
  const byResource = new Map<string, Journal['reads']>();
  for (const read of reads) {
    const id = `${read.tenant} ${read.kind}/${read.externalId}`;
    const known = byResource.get(id);
    if (known) known.push(read);
    else byResource.set(id, [read]);
  }
  for (const all of byResource.values()) {
    for (const [at, later] of all.entries()) {
      const before = all.slice(0, at).filter((read) => read.to < later.from);
      const lifeBefore = before.findLast((read) => read.resource?.id === later.resource?.id);
      if (later.resource === null || !lifeBefore?.resource) continue;
      const about = { tenant: later.tenant, key: `${later.kind}/${later.externalId}`, rule: 'reads that contradict' };
      const [older, newer] = [lifeBefore.resource, later.resource];
      if (older.versionNumber > newer.versionNumber)
        violations.push({
          ...about,
          detail: `version ${older.versionNumber}, later ${newer.versionNumber}, of ${newer.id}`,
        });
      if (older.versionNumber === newer.versionNumber && canonical(older.data) !== canonical(newer.data)) {
        violations.push({
          ...about,
          detail: `version ${newer.versionNumber} was ${canonical(older.data)}, later ${canonical(newer.data)}`,
        });
      }
      const between = before
        .slice(before.indexOf(lifeBefore) + 1)
        .find((read) => read.from > lifeBefore.to && read.resource?.id !== newer.id);
      // the undo of a delete brings back the life that had gone
      const history = histories.get(historyId(later.tenant, later.kind, later.externalId));
      if (between && !history?.undone.created)
        violations.push({ ...about, detail: `${newer.id} had gone, and is back` });
    }
  }
  return violations;
}

/** The API and the collections agree, and every document is stored under its own tenant (invariant 6). */
export function checkStored({ definitions }: Journal, { tenants, raw }: Snapshot): Violation[] {
  const answered = new Map<string, { tenant: string; resource: TenantState['resources'][number] }>(
    tenants.flatMap(({ tenant, resources }) =>
      resources.map(
        (resource) =>
          [
            `default/${tenant}/${definitions[resource.kind]}/${resource.resourceExternalId}`,
            { tenant, resource },
          ] as const,
      ),
    ),
  );
  const violations = raw.resources.flatMap(({ key, scope, data, version }): Violation[] => {
    const found = answered.get(key);
    if (!key.startsWith(`${scope}/`))
      return [{ rule: 'tenants mixed', key, detail: `it is stored under the scope ${scope}` }];
    if (found === undefined)
      return [{ rule: 'API and store differ', key, detail: 'it is stored, and the API does not return it' }];
    if (canonical([data, version]) === canonical([found.resource.data, found.resource.versionNumber])) return [];
    return [
      { rule: 'API and store differ', tenant: found.tenant, key, detail: `stored is ${canonical([data, version])}` },
    ];
  });
  const stored = new Set(raw.resources.map(({ key }) => key));
  for (const [key, { tenant }] of answered)
    if (!stored.has(key))
      violations.push({
        rule: 'API and store differ',
        tenant,
        key,
        detail: 'the API returns it, and it is not stored',
      });
  const foreign = tenants.flatMap(({ tenant, foreignBatches }) =>
    foreignBatches.map(
      (batchId): Violation => ({
        rule: 'tenants mixed',
        tenant,
        batchId,
        detail: 'it is of another tenant, and could be read',
      }),
    ),
  );
  return [...violations, ...foreign];
}
