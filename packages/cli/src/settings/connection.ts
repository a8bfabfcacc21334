import { createDrover, type DroverClient } from '@drover/client';
import { UsageError } from '../exit.ts';
import { type Profile, profileOf, readProfiles } from './profiles.ts';

/** The options of every command. */
export interface GlobalOptions {
  readonly url?: string;
  readonly token?: string;
  readonly tenant?: string;
  readonly profile?: string;
  readonly json?: true;
  readonly ndjson?: true;
  readonly yes?: true;
}

/** A profile with an address. */
export type Connection = Profile & { readonly url: string };

const DEFAULT_URL = 'http://127.0.0.1:8080';

/**
 * Where requests go: by flags, else by the profile that a flag names, else by the environment, else by the current profile. Token and
 * tenant of a profile, and of an environment that names an address, are for that address only.
 * @throws UsageError for a profile that is not there, and for an empty flag.
 */
export async function connectionOf(
  { url, token, tenant, profile }: GlobalOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Connection> {
  // a variable of a script that is not set would be another tenant, or another service
  for (const [name, value] of Object.entries({ url, token, tenant, profile }))
    if (value === '') throw new UsageError(`--${name} is empty`);
  const { current, profiles } = await readProfiles();
  const name = profile ?? (environment.DROVER_PROFILE || current);
  const named = name === undefined ? {} : profileOf({ profiles }, name);
  if (named === undefined)
    throw new UsageError(`there is no profile ${name}`, `profiles: ${Object.keys(profiles).join(', ') || 'none'}`);
  const fromEnvironment = withoutEmpty({
    url: environment.DROVER_URL,
    token: environment.DROVER_TOKEN,
    tenant: environment.DROVER_TENANT,
  });
  // a profile without an address is of the usual one
  const ofProfile = name === undefined ? {} : { url: DEFAULT_URL, ...named };
  const others = profile === undefined ? [fromEnvironment, ofProfile] : [ofProfile, fromEnvironment];
  const sources: readonly Profile[] = [withoutEmpty({ url, token, tenant }), ...others];
  const connection = merged(sources);
  if (!/^https?:\/\/./.test(connection.url) || !URL.canParse(connection.url))
    throw new UsageError(`${connection.url} is no address: http://127.0.0.1:8080, for example`);
  const { username, password, search, hash } = new URL(connection.url);
  if (username || password) throw new UsageError('an address has no user and password: a caller is known by its token');
  if (search || hash) throw new UsageError(`${connection.url} is no address: it has a query`);
  if (connection.token !== undefined && !/^[\x21-\x7e]+$/.test(connection.token))
    throw new UsageError('the token has characters that no token has: a space, or the end of a line?');
  return connection;
}

/** What the first source has that says it. A token and a tenant go to the address alone that they were given with. */
function merged(sources: readonly Profile[]): Connection {
  const url = sources.find((source) => source.url !== undefined)?.url ?? DEFAULT_URL;
  const ofUrl = sources.filter((source) => source.url === undefined || source.url === url);
  const token = ofUrl.find((source) => source.token !== undefined)?.token;
  const tenant = ofUrl.find((source) => source.tenant !== undefined)?.tenant;
  return { url, ...(token !== undefined && { token }), ...(tenant !== undefined && { tenant }) };
}

function withoutEmpty(values: { [K in keyof Profile]: string | undefined }): Profile {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value)) as Profile;
}

/** The client of a command. */
export const clientOf = ({ url, token, tenant }: Connection): DroverClient =>
  createDrover({ url, ...(token && { token }), ...(tenant && { tenant }), retry: { attempts: 4, maxDelayMs: 10_000 } });
