import { setTimeout as sleep } from 'node:timers/promises';
import type { ItemError } from '../../domain/batch/outcome.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import { DroverError } from '../../domain/errors.ts';
import { quoted } from '../../domain/json/shortened.ts';
import { MAX_CHANGE_VALIDATION_MS, MAX_REFERENCES } from '../../domain/limits.ts';
import { type CompiledSchema, compileSchema } from '../../domain/schema/compiler.ts';
import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import { fieldIdentity, type ReferenceField } from '../../domain/schema/references.ts';
import { type FoundReference, fieldOf, referencesIn } from '../../domain/write/references-in.ts';
import { type JsonObject, type ResourceKey, resourceKey } from '../../domain/write/resource.ts';
import { checkTargets } from '../../isolation/resources/targets.ts';
import { bindSchemaNames } from '../../store/definitions/schema-definitions.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { parts } from '../../store/mongodb/parts.ts';
import type { ResourceDocument } from '../../store/resources.ts';
import type { ValidationThreads } from './validation-threads.ts';

/** A stored resource that conflicts with a change. */
export interface Obstacle {
  readonly tenant: string;
  readonly externalId: string;
  readonly reason: string;
}

/** A version of a schema definition, with the present bindings of its references. */
export class BoundSchema {
  readonly compiled: CompiledSchema;
  readonly #bound: ReadonlyMap<string, { id: string }>;

  private constructor(compiled: CompiledSchema, bound: ReadonlyMap<string, { id: string }>) {
    this.compiled = compiled;
    this.#bound = bound;
  }

  static async of(
    database: Database,
    definition: Pick<SchemaDefinition, 'platform' | 'externalIdField'>,
    schema: JsonObject,
  ): Promise<BoundSchema> {
    const compiled = compileSchema(schema, definition.externalIdField);
    const targets = [...new Set(compiled.referenceFields.map((field) => field.target))];
    return new BoundSchema(compiled, await bindSchemaNames(database, definition.platform, targets));
  }

  /** The references of a resource in these fields; a key of null belongs to a schema definition that does not exist. */
  references(
    document: Pick<ResourceDocument, 'scope'>,
    data: JsonObject,
    fields: readonly ReferenceField[] = this.compiled.referenceFields,
  ): { place: FoundReference['place']; key: ResourceKey | null }[] {
    const owner = ownerOf(document);
    return referencesIn(fields, data).map(({ place, target, externalId }) => {
      const definition = this.#bound.get(target.toLowerCase());
      return { place, key: definition === undefined ? null : resourceKey(owner, definition.id, externalId) };
    });
  }

  /** The keys that have to be in the stored `references` of a resource. */
  referenceKeys(document: Pick<ResourceDocument, 'scope' | 'data'>): ResourceKey[] {
    const references = this.references(document, document.data);
    return [...new Set(references.flatMap(({ key }) => key ?? []))];
  }

  /** Reference fields that another version does not have: their targets were not checked yet. */
  fieldsBeyond(other: BoundSchema): ReferenceField[] {
    const known = new Set(other.compiled.referenceFields.map(fieldIdentity));
    return this.compiled.referenceFields.filter((field) => !known.has(fieldIdentity(field)));
  }

  /** Why a resource would not be valid, or null. A validation that may take long runs in a thread, and is ended there. */
  async invalidity(document: Pick<ResourceDocument, 'data'>, validation: ChangeValidation): Promise<string | null> {
    const { data } = document;
    const [fault] = await validation.faults(this.compiled, data);
    if (fault !== undefined) return fault.message;
    if (referencesIn(this.compiled.referenceFields, data).length <= MAX_REFERENCES) return null;
    return `more than ${MAX_REFERENCES} references`;
  }
}

/** Longest estimated validation of one stored resource in this thread, in ns: requests wait for it. */
const MAX_INLINE_NS = 10_000_000;
/** Estimated validation in this thread before other requests run in between, in ns. */
const MAX_TURN_NS = 30_000_000;

/** Validates stored resources for one change, so that it delays neither requests nor other changes for long. */
export class ChangeValidation {
  readonly #threads: ValidationThreads;
  readonly #platform: string;
  #threadMs = 0;
  #turnNs = 0;

  constructor(threads: ValidationThreads, platform: string) {
    this.#threads = threads;
    this.#platform = platform;
  }

  /** @throws DroverError `change_conflict` if all of the resources together take too long. */
  async faults(compiled: CompiledSchema, data: JsonObject): Promise<readonly ItemError[]> {
    const estimatedNs = compiled.estimateNs(data);
    if (estimatedNs > MAX_INLINE_NS) return this.#inThread(compiled, JSON.stringify(data));
    this.#turnNs += estimatedNs;
    if (this.#turnNs > MAX_TURN_NS) {
      this.#turnNs = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return compiled.faults(data);
  }

  async #inThread({ source }: CompiledSchema, text: string): Promise<readonly ItemError[]> {
    if (this.#threadMs > MAX_CHANGE_VALIDATION_MS) {
      throw new DroverError('change_conflict', 'checking the stored resources against the schema takes too long');
    }
    const since = performance.now();
    try {
      return await this.#threads.faults(`change of ${this.#platform}`, source.schema, source.externalIdField, text);
    } finally {
      this.#threadMs += performance.now() - since;
    }
  }
}

/** Resources that refer, in these fields, to a missing resource, each with the first such field. */
export async function findDangling(
  database: Database,
  schema: BoundSchema,
  fields: readonly ReferenceField[],
  documents: readonly ResourceDocument[],
  deadline: number,
): Promise<Obstacle[]> {
  if (fields.length === 0) return [];
  const referring = documents.map((document) => ({
    document,
    references: schema.references(document, document.data, fields),
  }));
  const keys = new Set(referring.flatMap(({ references }) => references.flatMap(({ key }) => key ?? [])));
  const present = await presentTargets(database, [...keys], deadline);
  return referring.flatMap(({ document, references }) => {
    const missing = references.find(({ key }) => key === null || !present.has(key));
    return missing === undefined
      ? []
      : [obstacleOf(document, `${quoted(fieldOf(missing))} refers to a resource that is not there`)];
  });
}

export function obstacleOf(document: ResourceDocument, reason: string): Obstacle {
  return { tenant: ownerOf(document).tenant, externalId: document.externalId, reason };
}

const POLL_MS = 100;

/**
 * The keys that exist and stay. Resources that are being created or deleted right now are waited for, until that is decided.
 * @throws DroverError `change_busy` after the deadline, in ms since 1970.
 */
async function presentTargets(
  database: Database,
  keys: readonly ResourceKey[],
  deadline: number,
): Promise<Set<ResourceKey>> {
  const present = new Set<ResourceKey>();
  for (const some of parts(keys)) {
    let open: readonly ResourceKey[] = some;
    for (;;) {
      const found = await checkTargets(database, open);
      for (const key of found.present) present.add(key);
      open = found.undecided;
      if (open.length === 0) break;
      if (Date.now() > deadline) throw new DroverError('change_busy', 'a resource is being created or deleted');
      await sleep(POLL_MS);
    }
  }
  return present;
}

function ownerOf({ scope }: Pick<ResourceDocument, 'scope'>): Scope {
  const [platform = '', tenant = ''] = scope.split('/').map(decodeURIComponent);
  return { platform, tenant };
}
