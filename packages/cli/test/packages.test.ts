import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { VERSION } from '../../../api/routes/docs.ts';
import { ROOT, read } from '../../../test/harness/repository.ts';
import { Program } from '../../../testkit/program.ts';
import { environmentIn, newFolder } from './harness.ts';

const PACKAGES = {
  'package.json': '.',
  'packages/client/package.json': '@drover/client',
  'packages/cli/package.json': '@drover/cli',
};
/** What npm says where neither its cache nor a registry has a package. */
const NOT_THERE = /ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|E403|E404/;

/** What a program that uses both entries of the client may write. */
const PROGRAM = `
import { createDrover, type Batch } from '@drover/client';
import { batchWorkflowId, statusQuery } from '@drover/client/temporal';

const batch: Promise<Batch> = createDrover({ url: 'http://127.0.0.1:9' }).batch('1').status();
// @ts-expect-error no such option
createDrover({ url: '', timeout: 1 });
batch.catch((error: Error) => console.log(error.name, batchWorkflowId('1'), statusQuery.name));
`;

test('all packages have the version of the service, and depend on each other in it', () => {
  for (const file of Object.keys(PACKAGES)) {
    const { version, dependencies, devDependencies } = JSON.parse(read(file)) as Record<string, Record<string, string>>;
    expect([file, version]).toEqual([file, VERSION]);
    for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies }))
      if (name.startsWith('@drover/')) expect([file, name, range]).toEqual([file, name, VERSION]);
  }
});

/** Builds and packs packages, and installs them in a new folder. @returns the folder; skips the test if that needs a network that is not there. */
function installed(context: TestContext, workspaces: readonly string[], more: readonly string[]): string {
  const folder = newFolder();
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const options = { cwd: ROOT, stdio: 'pipe', encoding: 'utf8' } as const;
  const built = workspaces.map((workspace) => join(ROOT, workspace, 'dist')).filter((dist) => !existsSync(dist));
  // scripts of packages write to standard output, where the names of the files would be
  const names = workspaces.map((workspace) => {
    execFileSync(
      'npm',
      ['run', '--silent', 'build', ...(workspace === '.' ? [] : ['--workspace', workspace])],
      options,
    );
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const packed = execFileSync('npm', [...args, ...(workspace === '.' ? [] : ['--workspace', workspace])], options);
    return (JSON.parse(packed) as { filename: string }[])[0]?.filename ?? '';
  });
  for (const dist of built) rmSync(dist, { recursive: true, force: true });
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--fetch-retries=0'];
  const install = spawnSync('npm', [...args, ...more, ...names.map((name) => join(folder, name))], {
    ...options,
    cwd: folder,
  });
  if (install.status !== 0 && NOT_THERE.test(install.stderr))
    context.skip('npm has a package neither in its cache nor from a registry: the tarballs were not installed');
  expect([install.status, install.status === 0 ? '' : install.stderr]).toEqual([0, '']);
  return folder;
}

test('the client and the command are installed from their tarballs alone, and work', {
  timeout: 180_000,
}, (context) => {
  const own = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
  const temporal = `@temporalio/workflow@${own.dependencies['@temporalio/workflow']}`;
  const folder = installed(context, ['packages/client', 'packages/cli'], [temporal]);
  const run = (command: string, ...args: string[]) =>
    spawnSync(command, args, {
      cwd: folder,
      encoding: 'utf8',
      env: environmentIn(folder, { DROVER_URL: 'http://127.0.0.1:9' }),
    });
  const drover = join(folder, 'node_modules/.bin/drover');
  expect(run(drover, '--version').stdout).toBe(`${VERSION}\n`);
  expect(run(drover, 'batch', 'get', 'b')).toMatchObject({ status: 3, stdout: '' });
  // the service is in the package \`drover\`
  expect(run(drover, 'dev')).toMatchObject({ status: 2 });

  writeFileSync(join(folder, 'program.ts'), PROGRAM);
  const compilerOptions = {
    strict: true,
    target: 'es2023',
    module: 'nodenext',
    types: [],
    lib: ['es2023', 'dom'],
    skipLibCheck: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  const tsc = join(ROOT, 'packages/client/node_modules/typescript/bin/tsc');
  expect(run(process.execPath, tsc)).toMatchObject({ status: 0, stdout: '' });
  expect(run(process.execPath, 'program.js').stdout).toBe('DroverError batch-1 status\n');
  const bundled = readFileSync(join(folder, 'node_modules/@drover/client/package.json'), 'utf8');
  expect(Object.keys((JSON.parse(bundled) as { dependencies: object }).dependencies)).toEqual([
    'eventsource-parser',
    'openapi-fetch',
    'standardwebhooks',
  ]);
});

test.runIf(process.env.PACKED_SERVICE === '1')(
  'npx drover dev starts the service from the tarballs (PACKED_SERVICE=1)',
  { timeout: 600_000 },
  async (context) => {
    const folder = installed(context, ['packages/client', 'packages/cli', '.'], []);
    const environment = environmentIn(folder, {
      PORT: '0',
      DROVER_DATA_DIR: folder,
      DROVER_CACHE_DIR: join(process.env.HOME ?? '', '.cache/drover'),
    });
    const program = await Program.start({
      name: 'drover dev',
      command: [join(folder, 'node_modules/.bin/drover'), 'dev'],
      environment,
      ready: /^ready (.+)$/,
    });
    const doctor = spawnSync(join(folder, 'node_modules/.bin/drover'), ['doctor', '--url', program.ready], {
      encoding: 'utf8',
      env: environment,
    });
    await program.stop();
    expect([doctor.status, doctor.stdout]).toEqual([0, expect.stringContaining('workers\tok')]);
  },
);
