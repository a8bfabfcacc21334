import { randomUUID } from 'node:crypto';
import { scopeKey } from '../../domain/batch/scope.ts';
import { referencesIn } from '../../domain/write/references-in.ts';
import { type JsonObject, resourceKey } from '../../domain/write/resource.ts';
import { insertResources } from '../../isolation/resources/write-resources.ts';
import { findSchemaDefinition } from '../../store/definitions/schema-definitions.ts';
import type { ResourceDocument } from '../../store/resources.ts';
import { InProcessDrover, openInProcess } from '../../testkit/in-process.ts';
import { installedForTest } from '../harness/drover.ts';
import { inProcessClient } from '../harness/in-process-client.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
  readonly body: any;
}

/** The API on a database of its own, without a socket and without a worker. */
export class OwnApi extends InProcessDrover {
  /** @param environment overrides the configuration. */
  static async open(environment: Record<string, string> = {}): Promise<OwnApi> {
    return new OwnApi(await openInProcess(installedForTest(environment)));
  }

  close(): Promise<void> {
    return this.stop();
  }

  /** Sends a request for tests of answers; a text body is sent unchanged. */
  async send(method: string, path: string, body?: unknown, tenant = 'default'): Promise<Answer> {
    const response = await this.app.request(path, {
      method,
      headers: { 'reach-tenant-id': tenant, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
  }

  async define(name: string, properties: JsonObject = {}, more: JsonObject = {}): Promise<string> {
    const schema = { type: 'object', properties, ...more };
    return (await inProcessClient(this.app).schemaDefinitions.create({ name, schema })).id;
  }

  /** Stores resources as a batch would. */
  async store(name: string, bodies: readonly JsonObject[], tenant = 'default'): Promise<ResourceDocument[]> {
    const { database, schemas } = this.services;
    const scope = { platform: 'default', tenant };
    const definition = await findSchemaDefinition(database, scope.platform, name);
    if (definition === null) throw new Error(`no ${name}`);
    const { compiled } = schemas.compiled(definition);
    const bound = await schemas.bind(
      definition,
      compiled.referenceFields.map((field) => field.target),
    );
    const now = new Date();
    const documents = bodies.map((data): ResourceDocument => {
      const externalId = String(data[definition.externalIdField]);
      const references = referencesIn(compiled.referenceFields, data).flatMap((reference) => {
        const target = bound.get(reference.target.toLowerCase());
        return target ? [resourceKey(scope, target.id, reference.externalId)] : [];
      });
      return {
        _id: resourceKey(scope, definition.id, externalId),
        id: randomUUID(),
        scope: scopeKey(scope),
        schemaDefinitionId: definition.id,
        schemaName: definition.name,
        externalId,
        data,
        references: [...new Set(references)],
        version: 1,
        createdAt: now,
        updatedAt: now,
        writes: [],
      };
    });
    await insertResources(database, documents);
    return documents;
  }
}
