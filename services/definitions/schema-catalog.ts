import type { ItemError } from '../../domain/batch/outcome.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import { BoundedCache } from '../../domain/collections/bounded-cache.ts';
import { type CompiledSchema, compileSchema } from '../../domain/schema/compiler.ts';
import type { SchemaDefinition } from '../../domain/schema/definition.ts';
import {
  bindSchemaNames,
  currentSchemaVersion,
  readSchemaDefinition,
} from '../../store/definitions/schema-definitions.ts';
import type { Database } from '../../store/mongodb/database.ts';
import { ValidationThreads } from './validation-threads.ts';

/** Memory of compiled schemas in one process, in bytes as estimated, and the share that one platform can have of it. */
const COMPILED_LIMITS = { bytes: 256 * 1024 * 1024, bytesPerGroup: 96 * 1024 * 1024 };
/** The same for the bindings of references. */
const BOUND_LIMITS = { bytes: 32 * 1024 * 1024, bytesPerGroup: 8 * 1024 * 1024 };
const BYTES_PER_BINDING = 500;
/** Definitions whose version is remembered as the current one. */
const CURRENT_LIMITS = { bytes: 10_000, bytesPerGroup: 2_500 };

export interface LoadedSchema {
  readonly definition: SchemaDefinition;
  readonly compiled: CompiledSchema;
}

/**
 * Compiled schemas by id and version, and the ids that reference targets are bound to. A target of a definition's references cannot be
 * deleted while the definition refers to it: so a binding, once found, is valid for that version of the referring definition.
 */
export class SchemaCatalog {
  /** Validates resources that could take long. */
  readonly threads = new ValidationThreads();
  readonly #database: Database;
  readonly #compiled = new BoundedCache<LoadedSchema>(COMPILED_LIMITS);
  /** Key in `#compiled`, by id: an entry that is evicted there is removed here. */
  readonly #current = new BoundedCache<string>(CURRENT_LIMITS);
  readonly #bound = new BoundedCache<{ id: string; name: string }>(BOUND_LIMITS);

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The present definition, or that of a moment ago; null if it does not exist any more. A writer checks its version once its intent is laid, and
   * calls `forget` if it has changed.
   */
  async current(id: string): Promise<LoadedSchema | null> {
    const cached = this.#cached(id);
    if (cached !== undefined) return cached;
    const definition = await readSchemaDefinition(this.#database, id);
    if (definition === null) return null;
    const loaded = this.compiled(definition);
    this.#current.set(definition.platform, id, versionKey(definition), 1);
    return loaded;
  }

  /** The present definition: its version is read first, and all of it only if that has changed; null if it does not exist any more. */
  async latest(id: string): Promise<LoadedSchema | null> {
    const version = await currentSchemaVersion(this.#database, id);
    if (version?.versionNumber !== this.#cached(id)?.definition.versionNumber) this.forget(id);
    return version === null ? null : this.current(id);
  }

  /** The next look-up reads the definition again. */
  forget(id: string): void {
    this.#current.delete(id);
  }

  compiled(definition: SchemaDefinition): LoadedSchema {
    const key = versionKey(definition);
    const cached = this.#compiled.get(key);
    if (cached !== undefined) return cached;
    const loaded = { definition, compiled: compileSchema(definition.schema, definition.externalIdField) };
    this.#compiled.set(definition.platform, key, loaded, loaded.compiled.bytes);
    return loaded;
  }

  #cached(id: string): LoadedSchema | undefined {
    const key = this.#current.get(id);
    return key === undefined ? undefined : this.#compiled.get(key);
  }

  /** Finds the faults of a resource (JSON text) in a thread that is ended if that takes too long. */
  faultsInThread(
    { batch, schema }: { batch: Scope; schema: LoadedSchema },
    text: string,
  ): Promise<readonly ItemError[]> {
    const source = schema.compiled.source;
    return this.threads.faults(ownerOf(batch), source.schema, source.externalIdField, text);
  }

  /** The present bindings of targets (names or ids) in a definition; targets that do not exist yet are absent. Keys are in lower case. */
  async bind(
    referring: Pick<SchemaDefinition, 'id' | 'platform' | 'versionNumber'>,
    targets: readonly string[],
  ): Promise<ReadonlyMap<string, { id: string; name: string }>> {
    const result = new Map<string, { id: string; name: string }>();
    const unknown: string[] = [];
    for (const target of new Set(targets)) {
      const bound = this.#bound.get(boundKey(referring, target));
      if (bound) result.set(target.toLowerCase(), bound);
      else unknown.push(target);
    }
    if (unknown.length === 0) return result;
    for (const [target, bound] of await bindSchemaNames(this.#database, referring.platform, unknown)) {
      this.#bound.set(referring.platform, boundKey(referring, target), bound, BYTES_PER_BINDING);
      result.set(target, bound);
    }
    return result;
  }
}

const ownerOf = ({ platform, tenant }: Scope): string => JSON.stringify([platform, tenant]);

type Version = Pick<SchemaDefinition, 'id' | 'versionNumber'>;

const versionKey = ({ id, versionNumber }: Version): string => `${id}:${versionNumber}`;

const boundKey = (referring: Version, target: string): string => `${versionKey(referring)}/${target.toLowerCase()}`;
