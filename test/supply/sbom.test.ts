import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../harness/repository.ts';
import { nameOf, packages, UNDECLARED } from './locked-packages.ts';

interface Bom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly purl: string;
    readonly licenses?: readonly unknown[];
  }[];
}

test('npm run sbom lists every installed package with version, address and licence, as CycloneDX', () => {
  const text = execFileSync('npm', ['run', '--silent', 'sbom'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const bom = JSON.parse(text) as Bom;
  expect([bom.bomFormat, bom.specVersion]).toEqual(['CycloneDX', '1.5']);
  const listed = new Set(bom.components.map(({ name, version }) => `${name}@${version}`));
  const installed = packages.filter(([path]) => existsSync(join(ROOT, path, 'package.json')));
  expect(installed.length).toBeGreaterThan(300);
  expect(
    installed.filter(([path, { version }]) => !listed.has(`${nameOf(path)}@${version}`)).map(([path]) => path),
  ).toEqual([]);
  const others = bom.components.filter(({ name }) => !name.startsWith('@drover/') && UNDECLARED[name] === undefined);
  expect(others.filter(({ purl, licenses }) => !purl.startsWith('pkg:npm/') || !licenses?.length)).toEqual([]);
}, 60_000);
