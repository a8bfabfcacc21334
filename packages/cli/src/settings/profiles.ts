import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { UsageError } from '../exit.ts';

/** Where requests go, and for whom. */
export interface Profile {
  readonly url?: string;
  readonly token?: string;
  readonly tenant?: string;
}

/** The file of profiles. */
export interface Profiles {
  /** The profile of commands that name none. */
  readonly current?: string;
  readonly profiles: Readonly<Record<string, Profile>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `~/.config/drover/config.json`. */
export const profilesFile = (environment: Environment = process.env): string =>
  join(environment.XDG_CONFIG_HOME || join(homedir(), '.config'), 'drover', 'config.json');

/** The profiles of this user; none without a file. @throws UsageError if the file is not as it should be. */
export async function readProfiles(file: string = profilesFile()): Promise<Profiles> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { profiles: {} };
    throw error;
  }
  const { mode } = await stat(file);
  const isOpen = process.platform !== 'win32' && (mode & 0o077) !== 0;
  if (isOpen && text.includes('"token"'))
    throw new UsageError(`others can read the tokens in ${file}: chmod 600 ${file}`);
  return profilesOf(text, file);
}

function profilesOf(text: string, file: string): Profiles {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new UsageError(`${file} is no JSON`);
  }
  if (!isRecord(parsed) || !isRecord(parsed.profiles)) throw new UsageError(`${file} has no profiles`);
  const entries = Object.entries(parsed.profiles).map(([name, profile]): [string, Profile] => {
    if (!isRecord(profile)) throw new UsageError(`${file}: the profile ${name} is no object`);
    const fields = ['url', 'token', 'tenant'].flatMap((field) => {
      const value = profile[field];
      return typeof value === 'string' ? [[field, value]] : [];
    });
    return [name, Object.fromEntries(fields) as Profile];
  });
  // a profile may have any name, also one that every object has
  return {
    profiles: Object.fromEntries(entries),
    ...(typeof parsed.current === 'string' && { current: parsed.current }),
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The profile of a name; undefined if there is none. */
export const profileOf = ({ profiles }: Pick<Profiles, 'profiles'>, name: string): Profile | undefined =>
  Object.hasOwn(profiles, name) ? profiles[name] : undefined;

/** Writes the file, for this user only: whole, or not at all. */
export async function writeProfiles(profiles: Profiles, file: string = profilesFile()): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const unfinished = `${file}.${process.pid}`;
  await writeFile(unfinished, `${JSON.stringify(profiles, null, 2)}\n`, { mode: 0o600 });
  // a file that was there keeps its mode
  await chmod(unfinished, 0o600);
  await rename(unfinished, file);
}
