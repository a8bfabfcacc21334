import { bodyOf, DroverError } from '@drover/client';
import type { Command } from 'commander';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT } from '../exit.ts';
import type { Column } from '../terminal/table.ts';
import { VERSION } from '../version.ts';
import { addCommand } from './add-command.ts';

/** One thing that was looked at. */
interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'wrong' | 'unknown';
  readonly detail: string;
}

/** `drover doctor` */
export function addDoctorCommand(program: Command, parts: ProgramParts): void {
  addCommand(program, parts, {
    usage: 'doctor',
    summary: 'Check the service, MongoDB, Temporal, its search attributes, workers, versions, and the token',
    more: 'Ends with 0 if all is well, with 1 if something is wrong, with 3 if the service cannot be reached.',
    examples: ['drover doctor', 'drover doctor --url https://drover.example.org --json'],
    run: doctor,
  });
}

async function doctor(context: Context): Promise<number> {
  const { output, connection } = context;
  const service = await checkService(context);
  const findings =
    service.state === 'wrong'
      ? [service]
      : [service, ...(await checkServers(context)), await checkToken(context), ...(await checkInstallation(context))];
  const { green, red, yellow } = output.colours;
  const colours = { ok: green, wrong: red, unknown: yellow };
  const columns: Column<Finding>[] = [
    { name: 'CHECK', of: ({ check }) => check, isKept: true },
    {
      name: 'STATE',
      of: ({ state }) => state,
      paint: (state) => colours[state as keyof typeof colours](state),
      isKept: true,
    },
    { name: 'DETAIL', of: ({ detail }) => detail },
  ];
  await output.list(findings, columns, '');
  if (service.state === 'wrong') {
    output.say(`nothing answers at ${connection.url}: another address is given by --url, DROVER_URL or a profile`);
    return EXIT.unreachable;
  }
  return findings.some(({ state }) => state === 'wrong') ? EXIT.notAll : EXIT.done;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function checkService({ client, connection, signal }: Context): Promise<Finding> {
  const begun = performance.now();
  try {
    await bodyOf(client.http.GET('/healthz', { signal }));
    const ms = Math.round(performance.now() - begun);
    return { check: 'service', state: 'ok', detail: `${connection.url} answers in ${ms} ms` };
  } catch (error) {
    signal.throwIfAborted();
    return { check: 'service', state: 'wrong', detail: messageOf(error) };
  }
}

async function checkServers({ client, signal }: Context): Promise<Finding[]> {
  const { data, error } = await client.http.GET('/readyz', { signal });
  const found = data ?? error;
  if (found === undefined) return [{ check: 'servers', state: 'unknown', detail: 'the service does not say' }];
  const { mongodb, temporal } = found;
  const missing = 'missing' in found ? (found.missing ?? []) : [];
  return [
    { check: 'MongoDB', state: mongodb === 'ok' ? 'ok' : 'wrong', detail: mongodb === 'ok' ? 'answers' : mongodb },
    {
      check: 'Temporal',
      state: temporal === 'unreachable' ? 'wrong' : 'ok',
      detail: temporal === 'unreachable' ? temporal : 'answers',
    },
    {
      check: 'search attributes',
      state: temporal === 'unreachable' ? 'unknown' : missing.length > 0 ? 'wrong' : 'ok',
      detail:
        missing.length > 0 ? `missing: ${missing.join(', ')} (npm run setup)` : temporal === 'ok' ? 'registered' : '',
    },
  ];
}

async function checkToken({ client, connection, signal }: Context): Promise<Finding> {
  try {
    await client.batches.list({ signal, limit: 1 }).page();
    const tenant = connection.tenant === undefined ? '' : ` for tenant ${connection.tenant}`;
    return { check: 'token', state: 'ok', detail: connection.token ? `accepted${tenant}` : `none is needed${tenant}` };
  } catch (error) {
    signal.throwIfAborted();
    return { check: 'token', state: 'wrong', detail: messageOf(error) };
  }
}

/** Versions and workers, which only the operator of a platform sees. */
async function checkInstallation({ client, signal }: Context): Promise<Finding[]> {
  let found: Awaited<ReturnType<typeof client.installation>>;
  try {
    found = await client.installation({ signal });
  } catch (error) {
    signal.throwIfAborted();
    const detail =
      error instanceof DroverError && error.status === 403
        ? 'seen by the operator: platform scope of the default platform'
        : messageOf(error);
    return ['workers', 'versions'].map((check) => ({ check, state: 'unknown', detail }));
  }
  const { version, mongodb, temporal, workers } = found;
  const versions = [`drover ${version}`, `this command ${VERSION}`, `MongoDB ${mongodb}`, `Temporal ${temporal}`];
  return [
    {
      check: 'workers',
      state: workers === null ? 'unknown' : workers.length > 0 ? 'ok' : 'wrong',
      detail:
        workers === null
          ? 'Temporal does not say'
          : workers.length > 0
            ? workers.map(({ identity }) => identity).join(', ')
            : 'none has asked for work in the last minutes: batches wait (npm run worker)',
    },
    { check: 'versions', state: version === VERSION ? 'ok' : 'unknown', detail: versions.join(', ') },
  ];
}
