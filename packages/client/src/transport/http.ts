import type { Client } from 'openapi-fetch';
import type { paths } from '../openapi.ts';

/** Every endpoint of the OpenAPI document that answers in JSON. */
export type Http = Client<paths, 'application/json'>;
