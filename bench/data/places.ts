import { cities, countries } from '../../demo/data.ts';

/** Cities and countries as one kind of resource, so that one file holds both: a city lies in a country, which comes after it. */
export const PLACE_DEFINITION = {
  name: 'place',
  externalIdField: 'id',
  schema: {
    type: 'object',
    properties: {
      id: { type: 'string', minLength: 1 },
      name: { type: 'string', minLength: 1 },
      in: { $ref: 'reach:schemas/place' },
      population: { type: 'integer', minimum: 0 },
      area: { type: 'number' },
      region: { type: 'string' },
      position: {
        type: 'object',
        properties: { longitude: { type: 'number' }, latitude: { type: 'number' } },
        required: ['longitude', 'latitude'],
      },
    },
    required: ['name'],
  },
};

interface SourceCity {
  readonly id: string;
  readonly name: string;
  readonly country: string;
  readonly population: number;
  readonly position: object;
}
interface SourceCountry {
  readonly code: string;
  readonly name: string;
  readonly region: string;
  readonly area: number;
}

/** Places of the real world again and again, each time under new ids: all cities, then all countries. @param count places in all. */
export function* places(prefix: string, count: number): Generator<object, void> {
  const [allCities, allCountries] = [cities() as SourceCity[], countries() as SourceCountry[]];
  for (let left = count, time = 0; left > 0; time++) {
    const id = (name: string): string => `${prefix}-${time}-${name}`;
    const own = allCities.slice(0, Math.max(0, left - allCountries.length));
    for (const { id: city, name, country, population, position } of own)
      yield { id: id(city), name, in: id(country), population, position };
    const last = allCountries.slice(0, left - own.length);
    for (const { code, name, region, area } of last) yield { id: id(code), name, region, area };
    left -= own.length + last.length;
  }
}
