/** What is uploaded: resources of eight fields, one of them a reference. The same for Drover and for its peers. */

export const REGIONS = 250;

export const REGION_DEFINITION = {
  name: 'region',
  externalIdField: 'code',
  schema: { type: 'object', properties: { code: { type: 'string' }, name: { type: 'string' } }, required: ['name'] },
};

const CUSTOMER_PROPERTIES = {
  id: { type: 'string', minLength: 1 },
  name: { type: 'string', minLength: 1, maxLength: 100 },
  email: { type: 'string', format: 'email' },
  street: { type: 'string' },
  since: { type: 'string', format: 'date' },
  score: { type: 'number', minimum: 0, maximum: 1000 },
  active: { type: 'boolean' },
};

export const CUSTOMER_DEFINITION = {
  name: 'customer',
  externalIdField: 'id',
  schema: {
    type: 'object',
    properties: { ...CUSTOMER_PROPERTIES, region: { $ref: 'reach:schemas/region' } },
    required: ['id', 'name', 'region'],
  },
};

/** The same for a validator that knows nothing of references. */
export const PLAIN_CUSTOMER_SCHEMA = {
  type: 'object',
  properties: { ...CUSTOMER_PROPERTIES, region: { type: 'string', minLength: 1 } },
  required: ['id', 'name', 'region'],
  additionalProperties: false,
};

export interface Customer {
  readonly id: string;
  readonly region: string;
  readonly [field: string]: string | number | boolean;
}

export const regionCode = (n: number): string => `region-${n}`;

/** @param revision another one changes every resource. */
export function customer(n: number, revision = 0): Customer {
  return {
    id: `customer-${n}`,
    name: `Customer number ${n}`,
    email: `customer.${n}@example.com`,
    street: `${(n % 900) + 1} Long Street, revision ${revision}`,
    since: `20${String(10 + (n % 15))}-0${(n % 9) + 1}-1${n % 10}`,
    score: (n * 7 + revision) % 1000,
    active: n % 3 !== 0,
    region: regionCode(n % REGIONS),
  };
}

export function customers(from: number, count: number, revision = 0): Customer[] {
  return Array.from({ length: count }, (_, n) => customer(from + n, revision));
}
