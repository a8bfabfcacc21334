import { storedBytes } from '../../domain/json/stored.ts';
import type { ResourceKey } from '../../domain/write/resource.ts';
import { removeOldPlaceholders } from '../../isolation/attempts/fences.ts';
import { leftMarks, resolveMarksOf } from '../../isolation/groups/resolve-marks.ts';
import { correctSizes } from '../../isolation/resources/resource-sizes.ts';
import { scanResources } from '../../isolation/resources/scan-resources.ts';
import { presentKeys } from '../../isolation/resources/targets.ts';
import { isMarked, visible } from '../../isolation/resources/visibility.ts';
import { hasReferencesToRepair, markReferencesUnsettled } from '../../store/definitions/schema-changes.ts';
import { readSchemaDefinition } from '../../store/definitions/schema-definitions.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { partsByBytes } from '../../store/mongodb/parts.ts';
import { PLACEHOLDER, type ResourceDocument } from '../../store/resources.ts';
import { finishSchemaChanges } from '../definitions/change-schema-definition.ts';
import { BoundSchema } from '../definitions/schema-change-check.ts';
import { type Check, checkOf, idsOf, type Suspicion, some } from './check.ts';
import { checkEffects } from './check-effects.ts';

/** Age from which recovery should have removed a placeholder, in ms: it keeps one for an hour. */
const OLD_PLACEHOLDER_MS = 2 * 60 * 60 * 1000;
/** References of resources that are looked up at a time. */
const REFERENCES_AT_ONCE = 20_000;

/** The schema definition of resources, and whether their references may name more than their data does, because it is being changed. */
interface Definition {
  readonly externalIdField: string;
  readonly schema: BoundSchema;
  readonly isChanging: boolean;
}

/** References (invariant 3), identities, versions, and marks of attempts that have died. */
export function checkResources(database: Database): Check {
  const scan = scanResources(database);
  const read = async function* (found: readonly Suspicion[]): AsyncGenerator<ResourceDocument[]> {
    yield* scan.again(idsOf(found));
  };
  return checkOf(scan, (page) => suspicionsIn(database, page), {
    'left mark': (found) => resolveMarksOf(database, idsOf(found)),
    'left placeholder': async () => {
      await removeOldPlaceholders(database);
    },
    'wrong size': async (found) => {
      for await (const page of read(found)) await correctSizes(database, page);
    },
    // the references of a definition's resources are adapted under the lease of a change: a change that runs would be undone otherwise (invariant 3)
    'references differ': async (found) => {
      for await (const page of read(found))
        for (const id of new Set(page.map(({ schemaDefinitionId }) => schemaDefinitionId)))
          await markReferencesUnsettled(database, id);
      await finishSchemaChanges(database);
    },
  });
}

async function suspicionsIn(database: Database, page: readonly ResourceDocument[]): Promise<Suspicion[]> {
  const placeholders = page.filter(({ hidden }) => hidden === PLACEHOLDER);
  const resources = page.filter(({ hidden }) => hidden !== PLACEHOLDER);
  const definitions = await definitionsOf(database, resources);
  const seen = await visible(database, resources);
  const left = await leftMarks(database, resources.filter(isMarked));
  const found: Suspicion[] = [
    ...placeholders.filter(isOld).map(({ _id, fence }) => ({
      kind: 'left placeholder' as const,
      id: _id,
      state: fence?.token ?? '',
      detail: `since ${fence?.at.toISOString()}`,
    })),
    ...left.map(({ _id, hidden, leaving }) => ({
      kind: 'left mark' as const,
      id: _id,
      state: hidden ?? leaving?.group ?? '',
      detail: hidden === undefined ? `of the delete ${leaving?.batchId}` : `of the group ${hidden}`,
    })),
    ...resources.flatMap((resource) => faultsOf(resource, definitions.get(resource.schemaDefinitionId))),
    ...(await checkEffects(database, seen)),
  ];
  for (const portion of partsByBytes(seen, seen.length + 1, referenceCount, REFERENCES_AT_ONCE))
    found.push(...(await referenceFaults(database, portion, definitions)));
  return found;
}

const isOld = ({ fence }: ResourceDocument): boolean =>
  fence === undefined || Date.now() - fence.at.getTime() > OLD_PLACEHOLDER_MS;

const referenceCount = ({ references }: ResourceDocument): number => references.length;

async function definitionsOf(
  database: Database,
  resources: readonly ResourceDocument[],
): Promise<Map<string, Definition>> {
  const definitions = new Map<string, Definition>();
  for (const id of new Set(resources.map(({ schemaDefinitionId }) => schemaDefinitionId))) {
    const isChanging = await hasReferencesToRepair(database, id);
    const definition = await readSchemaDefinition(database, id);
    if (definition === null) continue;
    const schema = await BoundSchema.of(database, definition, definition.schema);
    definitions.set(id, { externalIdField: definition.externalIdField, schema, isChanging });
  }
  return definitions;
}

/** What is wrong with a document by itself. */
function faultsOf(resource: ResourceDocument, definition: Definition | undefined): Suspicion[] {
  const { _id, id, version } = resource;
  const about = { id: _id, state: `${id}:${version}` };
  const identity = identityFault(resource, definition);
  const versions = versionFault(resource);
  const bytes = resource.isText || resource.bytes === undefined ? undefined : storedBytes(resource.data);
  return [
    ...(definition ? [] : [{ ...about, kind: 'no schema definition' as const, detail: resource.schemaDefinitionId }]),
    ...(identity === null ? [] : [{ ...about, kind: 'wrong identity' as const, detail: identity }]),
    ...(versions === null ? [] : [{ ...about, kind: 'wrong version' as const, detail: versions }]),
    ...(bytes === undefined || bytes === resource.bytes
      ? []
      : [{ ...about, kind: 'wrong size' as const, detail: `${resource.bytes} bytes are noted, it has ${bytes}` }]),
  ];
}

function identityFault(resource: ResourceDocument, definition: Definition | undefined): string | null {
  const { _id, scope, schemaDefinitionId, externalId, data } = resource;
  if (_id !== `${scope}/${schemaDefinitionId}/${externalId}`)
    return `its fields make ${scope}/${schemaDefinitionId}/${externalId}`;
  const own = definition && data[definition.externalIdField];
  return own === undefined || own === externalId ? null : `its data has the external id ${JSON.stringify(own)}`;
}

function versionFault({ version, createdAt, updatedAt, writes }: ResourceDocument): string | null {
  if (!Number.isSafeInteger(version) || version < 1) return `it has version ${version}`;
  if (updatedAt < createdAt) return 'it was changed before it was created';
  const later = writes.find((write) => write.version > version);
  return later === undefined
    ? null
    : `item ${later.index} of batch ${later.batchId} has written version ${later.version}`;
}

/** Resources that refer to one that is not there (invariant 3), or whose stored references are not those of their data. */
async function referenceFaults(
  database: Database,
  resources: readonly ResourceDocument[],
  definitions: ReadonlyMap<string, Definition>,
): Promise<Suspicion[]> {
  const wanted = resources.map((resource) => {
    const definition = definitions.get(resource.schemaDefinitionId);
    const keys = definition?.schema.referenceKeys(resource);
    return { resource, definition, keys: keys ?? resource.references };
  });
  const targets = new Set(wanted.flatMap(({ keys, resource }) => [...keys, ...resource.references]));
  const present = new Set(await presentKeys(database, [...targets]));
  return wanted.flatMap(({ resource, definition, keys }): Suspicion[] => {
    const about = { id: resource._id, state: `${resource.id}:${resource.version}` };
    const missing = keys.filter((key) => !present.has(key));
    const unbound = definition?.schema.references(resource, resource.data).filter(({ key }) => key === null) ?? [];
    const dangling = [...missing, ...unbound.map(() => 'a resource of a schema definition that does not exist')];
    const differ = definition?.isChanging === false ? differenceOf(keys, resource.references) : null;
    return [
      ...(dangling.length === 0
        ? []
        : [{ ...about, kind: 'dangling reference' as const, detail: `to ${some(dangling)}` }]),
      ...(differ === null ? [] : [{ ...about, kind: 'references differ' as const, detail: differ }]),
    ];
  });
}

function differenceOf(ofData: readonly ResourceKey[], stored: readonly ResourceKey[]): string | null {
  const [own, noted] = [new Set(ofData), new Set(stored)];
  const lacking = ofData.filter((key) => !noted.has(key));
  const more = stored.filter((key) => !own.has(key));
  if (lacking.length + more.length === 0) return null;
  return [
    ...(lacking.length > 0 ? [`not noted: ${some(lacking)}`] : []),
    ...(more.length > 0 ? [`not in the data: ${some(more)}`] : []),
  ].join('; ');
}
