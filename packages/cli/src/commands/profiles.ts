import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { ProgramParts } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { type Profile, profileOf, profilesFile, readProfiles, writeProfiles } from '../settings/profiles.ts';
import type { Column } from '../terminal/table.ts';
import { addCommand } from './add-command.ts';

/** A profile as it is listed: without its token. */
interface Listed extends Omit<Profile, 'token'> {
  readonly name: string;
  readonly isCurrent: boolean;
  readonly hasToken: boolean;
}

const COLUMNS: readonly Column<Listed>[] = [
  { name: 'PROFILE', of: ({ name, isCurrent }) => (isCurrent ? `${name} *` : name), isKept: true },
  { name: 'ADDRESS', of: ({ url }) => url },
  { name: 'TENANT', of: ({ tenant }) => tenant },
  { name: 'TOKEN', of: ({ hasToken }) => (hasToken ? 'yes' : '') },
];

/** `drover profile …` */
export function addProfileCommands(program: Command, parts: ProgramParts): void {
  const profile = program
    .command('profile')
    .description('Profiles: addresses, tenants and tokens by name, in ~/.config/drover/config.json.');
  addCommand(profile, parts, {
    usage: 'list',
    summary: 'List profiles; that of commands which name none has a star',
    examples: ['drover profile list'],
    run: async ({ output }) => {
      const { current, profiles } = await readProfiles();
      const listed = Object.entries(profiles).map(([name, { token, ...rest }]) => ({
        name,
        isCurrent: name === current,
        hasToken: token !== undefined,
        ...rest,
      }));
      await output.list(listed, COLUMNS, 'there is no profile');
      return EXIT.done;
    },
  });
  addCommand(profile, parts, {
    usage: 'set <name>',
    summary: 'Keep --url, --token and --tenant under a name',
    more: '--token - reads the token from standard input: on the command line others could see it. The first profile is used by commands that name none; see drover profile use.',
    examples: ['drover profile set production --url https://drover.example.org --tenant acme --token - < token.txt'],
    run: async ({ output, options: { url, token, tenant } }, [name = '']) => {
      const read = token === '-' ? (await text(process.stdin)).trim() : token;
      const given = { ...(url && { url }), ...(read && { token: read }), ...(tenant && { tenant }) };
      if (Object.keys(given).length === 0) throw new UsageError('say what to keep: --url, --token, --tenant');
      const { current, profiles } = await readProfiles();
      const next = {
        current: current ?? name,
        profiles: { ...profiles, [name]: { ...profileOf({ profiles }, name), ...given } },
      };
      await writeProfiles(next);
      await output.one({ profile: name, file: profilesFile() }, [['kept', `${name} in ${profilesFile()}`]]);
      return EXIT.done;
    },
  });
  addCommand(profile, parts, {
    usage: 'use <name>',
    summary: 'Use a profile in commands that name none',
    examples: ['drover profile use production'],
    run: async ({ output }, [name = '']) => {
      const { profiles } = await readProfiles();
      if (profileOf({ profiles }, name) === undefined) throw new UsageError(`there is no profile ${name}`);
      await writeProfiles({ current: name, profiles });
      await output.one({ current: name }, [['in use', name]]);
      return EXIT.done;
    },
  });
  addCommand(profile, parts, {
    usage: 'remove <name>',
    summary: 'Remove a profile with its token',
    examples: ['drover profile remove production'],
    run: async ({ output }, [name = '']) => {
      const { current, profiles } = await readProfiles();
      if (profileOf({ profiles }, name) === undefined) throw new UsageError(`there is no profile ${name}`);
      const left = Object.fromEntries(Object.entries(profiles).filter(([one]) => one !== name));
      await writeProfiles({ profiles: left, ...(current !== undefined && current !== name && { current }) });
      await output.one({ removed: name }, [['removed', name]]);
      return EXIT.done;
    },
  });
}
