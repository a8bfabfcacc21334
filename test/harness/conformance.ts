import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Drover } from './drover.ts';

/** A JSON object of the OpenAPI document. */
type Node = Record<string, unknown>;

export interface Operation {
  readonly method: string;
  /** With parameters in braces. */
  readonly path: string;
  readonly operationId: string;
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Node }>> }>
  >;
}

export const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const UTC_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Answers with the ids and dates of a Camunda engine. */
const CAMUNDA = '/engine-rest/';
/** Paths that are not part of the OpenAPI document. */
const UNDOCUMENTED = /^\/(docs|openapi\.json)(\/|$)/;

/**
 * Checks real answers against the OpenAPI document, strictly: an answer has a documented status and content type, and
 * no field that the document does not name.
 */
export class Conformance {
  readonly operations: readonly Operation[];
  /** `operationId status` of every answer that was checked. */
  readonly seen = new Set<string>();
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #validators = new Map<object, ValidateFunction>();

  private constructor(document: Node) {
    addFormats.default(this.#ajv);
    const closed = close(document);
    this.#ajv.addSchema({ $id: 'openapi', ...closed });
    this.operations = Object.entries(closed.paths as Record<string, Record<string, Operation>>).flatMap(
      ([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
    );
  }

  /** From now on every answer of this Drover's API is checked; an answer that does not conform fails its request. */
  static async watch(drover: Drover): Promise<Conformance> {
    const { app } = drover;
    const request = app.request;
    const conformance = new Conformance((await (await request('/openapi.json')).json()) as Node);
    app.request = async (input, init, ...rest) => {
      const response = await request(input, init, ...rest);
      const faults = await conformance.faultsOf(init?.method ?? 'GET', String(input), response);
      if (faults.length > 0)
        throw new Error(`${init?.method ?? 'GET'} ${String(input)} ${response.status}: ${faults.join('; ')}`);
      return response;
    };
    return conformance;
  }

  /** The faults of an answer; the answer can still be read afterwards. */
  async faultsOf(method: string, target: string, response: Response): Promise<string[]> {
    const { pathname } = new URL(target, 'http://localhost');
    if (UNDOCUMENTED.test(pathname)) return [];
    const operation = this.#operationAt(method, pathname);
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    if (pathname.startsWith(CAMUNDA) && (operation === undefined || response.status === 405))
      return this.#refusedByEngine(method, response);
    if (operation === undefined)
      return response.status === 404 || response.status === 405
        ? this.#bodyFaults(
            { $ref: `openapi#/components/schemas/${response.status === 404 ? 'NotFound' : 'Fault'}` },
            await jsonOf(response),
          )
        : ['is not documented'];
    this.seen.add(`${operation.operationId} ${response.status}`);
    const documented = operation.responses[response.status];
    if (documented === undefined) return [`status ${response.status} is not documented`];
    if (documented.content === undefined) return type === '' ? [] : [`has an undocumented body: ${type}`];
    const schema = documented.content[type]?.schema;
    if (schema === undefined) return [`content type ${type} is not documented`];
    if (type !== 'application/json') return [];
    const body = await jsonOf(response);
    const faults = this.#bodyFaults(schema, body);
    return pathname.startsWith(CAMUNDA) ? faults : [...faults, ...namedFaults(body, '')];
  }

  /** A path that the Camunda engine does not have is refused with an error in the engine's shape. */
  async #refusedByEngine(method: string, response: Response): Promise<string[]> {
    if (method === 'HEAD') return [];
    if (![401, 404, 405].includes(response.status)) return ['is not documented'];
    return this.#bodyFaults({ $ref: 'openapi#/components/schemas/CamundaError' }, await jsonOf(response));
  }

  #operationAt(method: string, pathname: string): Operation | undefined {
    const parts = pathname.split('/');
    const fitting = this.operations.filter((operation) => {
      const template = operation.path.split('/');
      return (
        operation.method === method &&
        template.length === parts.length &&
        template.every((part, at) => part.startsWith('{') || part === parts[at])
      );
    });
    // a literal path has precedence over one with parameters
    return fitting.sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0];
  }

  #bodyFaults(schema: Node, body: unknown): string[] {
    const validate = this.#validators.get(schema) ?? this.#ajv.compile(rebased(schema));
    this.#validators.set(schema, validate);
    if (validate(body)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  return response.clone().json();
}

/** Closes every schema: no object may have fields that its schema does not name. */
function close(node: Node): Node {
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closeAny(value)]));
  const isObject = copy.type === 'object' && copy.properties !== undefined && copy.additionalProperties === undefined;
  return isObject ? { ...copy, additionalProperties: false } : copy;
}

function closeAny(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closeAny);
  return typeof value === 'object' && value !== null ? close(value as Node) : value;
}

/** Resolves the references of a schema taken out of the document. */
function rebased(schema: Node): Node {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/'));
}

/** Checks what a field's name promises of its value, at any place of an answer; data of callers is left out. */
function* namedFaults(value: unknown, place: string): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    const here = `${place}/${name}`;
    if (/(At|Until)$/.test(name) && !UTC_DATE.test(String(inner)))
      yield `${here} is no date in UTC with milliseconds: ${inner}`;
    const isId = /^(id|batchId|schemaDefinitionId)$/.test(name) && typeof inner === 'string' && inner !== '';
    if (isId && !UUID_V7.test(inner)) yield `${here} is no UUID of version 7: ${inner}`;
    const isCallers = name === 'schema' || (name === 'data' && place !== '');
    if (!isCallers) yield* namedFaults(inner, here);
  }
}
