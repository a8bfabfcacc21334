import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OwnApi } from '../own-api.ts';

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly query: readonly string[];
  /** Fields of the body; null if it takes none. */
  readonly fields: readonly string[] | null;
  readonly isClosed: boolean;
  /** Its body is a stream: it has no fields. */
  readonly isStream: boolean;
}

let api: OwnApi;
let operations: Operation[];

beforeAll(async () => {
  api = await OwnApi.open();
  operations = await readOperations();
});
afterAll(() => api.close());

/**
 * Every operation of the OpenAPI document with the names that it takes. The Camunda façade ignores others, as an engine does; so do
 * health, readiness and metrics.
 */
async function readOperations(): Promise<Operation[]> {
  const { body: document } = await api.send('GET', '/openapi.json');
  // biome-ignore lint/suspicious/noExplicitAny: a document of any shape
  const paths = Object.entries<any>(document.paths).filter(
    ([path]) => !/^\/(engine-rest\/|healthz$|readyz$|metrics$)/.test(path),
  );
  return paths.flatMap(([path, methods]) =>
    // biome-ignore lint/suspicious/noExplicitAny: as above
    Object.entries<any>(methods).map(([method, { parameters = [], requestBody }]) => {
      const schema = requestBody?.content['application/json']?.schema;
      const body = schema?.$ref ? document.components.schemas[schema.$ref.split('/').at(-1)] : schema;
      return {
        method: method.toUpperCase(),
        path: path.replaceAll(/\{\w+\}/g, 'unknown'),
        query: parameters.filter((one: { in: string }) => one.in === 'query').map((one: { name: string }) => one.name),
        fields: body === undefined ? null : Object.keys(body.properties),
        isClosed: body === undefined || body.additionalProperties === false,
        isStream: requestBody !== undefined && schema === undefined,
      };
    }),
  );
}

const label = ({ method, path }: Operation): string => `${method} ${path}`;
const url = ({ path }: Operation, ...parameters: readonly string[]): string => `${path}?${parameters.join('&')}`;

/** The faults with which a request is refused; Extracta's answers have them in one text. */
async function faultsOf(operation: Operation, path: string, body?: unknown): Promise<string[]> {
  // requests without a socket follow each other without a turn of the event loop, in which the connections to MongoDB time out
  await setImmediate();
  const withoutBody = operation.fields === null ? undefined : {};
  const refused = await api.send(operation.method, path, body === undefined ? withoutBody : body);
  expect([label(operation), path, refused.status]).toEqual([label(operation), path, 400]);
  return refused.body.errors ?? refused.body.message.split('; ');
}

describe('every route of the OpenAPI document', () => {
  test('is listed for these tests', () => {
    expect(operations.length).toBeGreaterThan(20);
    expect(operations.filter(({ isClosed }) => !isClosed)).toEqual([]);
  });

  test('refuses a query parameter that it does not know, and names it', async () => {
    for (const operation of operations) {
      const faults = await faultsOf(operation, url(operation, 'bogus=1', '__proto__=2', 'toString='));
      for (const name of ['bogus', '__proto__', 'toString']) {
        expect([label(operation), faults]).toEqual([
          label(operation),
          expect.arrayContaining([expect.stringMatching(`^${name}: is not a query parameter of this request`)]),
        ]);
      }
    }
  });

  test('refuses a parameter that is given twice, also with one value', async () => {
    for (const operation of operations) {
      for (const name of operation.query) {
        const faults = await faultsOf(operation, url(operation, `${name}=`, `${name}=`));
        expect([label(operation), faults]).toEqual([
          label(operation),
          expect.arrayContaining([`${name}: is given twice`]),
        ]);
      }
    }
  });

  test('names the parameter that was meant if one is misspelt', async () => {
    for (const operation of operations) {
      for (const name of operation.query) {
        for (const wrong of [name.toUpperCase(), `${name.slice(0, 1)}-${name.slice(1)}`, `${name.slice(0, -1)}x`]) {
          if (wrong === name) continue;
          const faults = await faultsOf(operation, url(operation, `${wrong}=`));
          expect([label(operation), faults.join('\n')]).toEqual([
            label(operation),
            expect.stringContaining(`${wrong}: is not a query parameter of this request; did you mean "${name}"?`),
          ]);
        }
      }
    }
  });

  test('refuses a field of the body that it does not know, and names it', async () => {
    for (const operation of operations.filter(({ method, isStream }) => method !== 'GET' && !isStream)) {
      const faults = await faultsOf(operation, operation.path, { bogus: 1, constructor: null });
      for (const name of ['bogus', 'constructor']) {
        expect([label(operation), faults]).toEqual([
          label(operation),
          expect.arrayContaining([expect.stringMatching(`^${name}: is not a field of this body`)]),
        ]);
      }
    }
  });

  test('names the field that was meant, and says where an option belongs', async () => {
    for (const operation of operations) {
      for (const name of operation.fields ?? []) {
        const wrong = name.toUpperCase();
        expect((await faultsOf(operation, operation.path, { [wrong]: null })).join('; ')).toContain(
          `${wrong}: is not a field of this body; did you mean "${name}"?`,
        );
        expect((await faultsOf(operation, url(operation, `${name}=true`))).join('; ')).toContain(
          `${name}: is not a query parameter of this request; "${name}" belongs in the body`,
        );
      }
      for (const name of operation.method === 'GET' || operation.isStream ? [] : operation.query) {
        expect((await faultsOf(operation, operation.path, { [name]: 'true' })).join('; ')).toContain(
          `${name}: is not a field of this body; "${name}" belongs in the query`,
        );
      }
    }
  });

  test('refuses a member that its body gives twice', async () => {
    for (const operation of operations) {
      for (const name of operation.fields ?? []) {
        expect(
          await faultsOf(operation, operation.path, `{"${name}":1,"\\u00${hex(name)}${name.slice(1)}":2}`),
        ).toContain(`${name}: is given twice`);
      }
    }
  });

  test('refuses a path that is not percent-encoded UTF-8', async () => {
    for (const operation of operations) {
      expect(await faultsOf(operation, `${operation.path}?a=%ff`)).toEqual(['query: is not percent-encoded UTF-8']);
    }
  });
});

/** The first letter of a name as `\u00..` writes it. */
const hex = (name: string): string => name.charCodeAt(0).toString(16);

describe('a delete with unknown names deletes nothing', () => {
  beforeAll(async () => {
    await api.define('Kept');
    await api.store('Kept', [{ externalId: 'a' }]);
  });
  const PATH = '/api/resources/Kept/batch';

  test.each([
    [
      'DELETE',
      `${PATH}?dryRun=true`,
      { deleteAll: true },
      'dryRun: is not a query parameter of this request; "dryRun" belongs in the body',
    ],
    ['DELETE', PATH, { deleteAll: true, dryrun: true }, 'dryrun: is not a field of this body; did you mean "dryRun"?'],
    ['DELETE', PATH, '{"deleteAll":true,"dryRun":true,"dryRun":false}', 'dryRun: is given twice'],
    [
      'POST',
      `${PATH}/delete?dryRun=true`,
      { deleteAll: true },
      'dryRun: is not a query parameter of this request; "dryRun" belongs in the body',
    ],
    [
      'DELETE',
      '/partner/schema-definitions/Kept',
      { dryRun: true },
      'dryRun: is not a field of this body, which takes none',
    ],
  ])('%s %s %j', async (method, path, body, fault) => {
    const { status, body: answer } = await api.send(method, path, body);
    expect([status, answer.errors]).toEqual([400, [fault]]);
    const list = await api.send('GET', '/api/batches');
    expect(list.body.data.results).toEqual([]);
    expect((await api.send('GET', '/api/resources/Kept/a')).status).toBe(200);
  });

  test.each([
    [
      'POST',
      `${PATH}?onConflict=reject`,
      'onConflict: is not a query parameter of this request; did you mean "onconflict"?',
    ],
    ['POST', `${PATH}?onconflict=reject&onconflict=upsert`, 'onconflict: is given twice'],
    [
      'PATCH',
      `${PATH}?onconflict=reject`,
      'onconflict: is not a query parameter of this request; it takes ignoreUnknownFields, resourcesPerActivity, retentionDays, undoable, dryRun, label, priority, startAt',
    ],
  ])('an upload or patch likewise: %s %s', async (method, path, fault) => {
    const { status, body: answer } = await api.send(method, path, { resources: [{ externalId: 'a' }] });
    expect([status, answer.errors]).toEqual([400, [fault]]);
  });

  test('an option of the query in the body is refused with the right place', async () => {
    const { status, body } = await api.send('POST', PATH, { resources: [{ externalId: 'a' }], onconflict: 'reject' });
    expect([status, body.errors]).toEqual([
      400,
      ['onconflict: is not a field of this body; "onconflict" belongs in the query'],
    ]);
  });
});
