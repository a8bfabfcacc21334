import { type CompiledSchema, compileSchema } from '../domain/schema-compiler.ts';
import type { SchemaDefinition } from '../domain/schema-definition.ts';
import type { Database } from '../store/database.ts';
import { bindSchemaNames, currentSchemaVersion, readSchemaDefinition } from '../store/schema-definitions.ts';

/** Compiled validators kept in memory. */
const MAX_COMPILED = 500;

export interface LoadedSchema {
  readonly definition: SchemaDefinition;
  readonly compiled: CompiledSchema;
}

/**
 * Compiled schemas by id and version, and the ids that reference targets are bound to. What a definition refers to cannot be
 * deleted while that definition refers to it: so a binding, once found, holds for that version of the definition that refers.
 */
export class SchemaCatalog {
  readonly #database: Database;
  readonly #compiled = new Map<string, LoadedSchema>();
  readonly #current = new Map<string, LoadedSchema>();
  readonly #bound = new Map<string, { id: string; name: string }>();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The definition as it is, or was a moment ago; null if it is gone. A writer checks its version once its intent is laid, and
   * forgets it here if it has moved on.
   */
  async current(id: string): Promise<LoadedSchema | null> {
    const cached = this.#current.get(id);
    if (cached !== undefined) return cached;
    const definition = await readSchemaDefinition(this.#database, id);
    if (definition === null) return null;
    const loaded = this.compiled(definition);
    if (this.#current.size >= MAX_COMPILED) this.#current.clear();
    this.#current.set(id, loaded);
    return loaded;
  }

  /** The definition as it is now: its version is read first, all of it only where that has moved on; null if it is gone. */
  async latest(id: string): Promise<LoadedSchema | null> {
    const version = await currentSchemaVersion(this.#database, id);
    if (version?.versionNumber !== this.#current.get(id)?.definition.versionNumber) this.forget(id);
    return version === null ? null : this.current(id);
  }

  /** The next look reads the definition afresh. */
  forget(id: string): void {
    this.#current.delete(id);
  }

  compiled(definition: SchemaDefinition): LoadedSchema {
    const key = `${definition.id}:${definition.versionNumber}`;
    const cached = this.#compiled.get(key);
    if (cached !== undefined) return cached;
    const loaded = { definition, compiled: compileSchema(definition.schema, definition.externalIdField) };
    const oldest = this.#compiled.keys().next();
    if (this.#compiled.size >= MAX_COMPILED && !oldest.done) this.#compiled.delete(oldest.value);
    this.#compiled.set(key, loaded);
    return loaded;
  }

  /** What targets (names or ids) in a definition are bound to now; those that do not exist yet are absent. Keys are in lower case. */
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
      this.#bound.set(boundKey(referring, target), bound);
      result.set(target, bound);
    }
    return result;
  }
}

const boundKey = ({ id, versionNumber }: Pick<SchemaDefinition, 'id' | 'versionNumber'>, target: string): string =>
  `${id}:${versionNumber}/${target.toLowerCase()}`;
