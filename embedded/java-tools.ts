import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { assertChecksums } from './checksums.ts';
import { onceBuilt, type Say } from './once-built.ts';
import { findOnPath, run } from './processes.ts';

/** In each folder: checksums of the jars that its pom names, as `sha256sum *.jar` prints them. A new version needs a new list. */
const CHECKSUMS = 'jars.sha256';

const MAVEN_TIMEOUT_MS = 240_000;
const COMPILER_TIMEOUT_MS = 60_000;

/**
 * The class path of a folder beside this file in `java/`: the jars that its pom names, and its sources compiled. Kept in
 * the cache under a hash of that folder.
 * @throws one line that says which tool is missing, what Maven or the compiler said, or which jar has an unknown checksum.
 */
export async function javaClassPath(folder: string, say: Say): Promise<string> {
  const source = join(import.meta.dirname, 'java', folder);
  const files = filesBelow(source);
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(source, file)));
  const path = join(cacheDirectory(), 'java', `${folder}-${hash.digest('hex').slice(0, 16)}`);
  await onceBuilt(path, `fetching and compiling ${folder} for Java`, say, async (unfinished) => {
    needTools(['java', 'javac', 'mvn']);
    mkdirSync(join(unfinished, 'classes'), { recursive: true });
    const jars = join(unfinished, 'jars');
    const pom = join(source, 'pom.xml');
    await run('mvn', ['dependency:copy-dependencies', '-q', '-B', '-f', pom, `-DoutputDirectory=${jars}`], {
      timeoutMs: MAVEN_TIMEOUT_MS,
    });
    assertChecksums(jars, join(source, CHECKSUMS));
    const sources = files.filter((file) => file.endsWith('.java')).map((file) => join(source, file));
    if (sources.length === 0) return;
    await run('javac', ['-nowarn', '-cp', join(jars, '*'), '-d', join(unfinished, 'classes'), ...sources], {
      timeoutMs: COMPILER_TIMEOUT_MS,
    });
  });
  needTools(['java']);
  return `${join(path, 'classes')}:${join(path, 'jars', '*')}`;
}

/** Paths below a folder, sorted. */
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();

function needTools(tools: readonly string[]): void {
  const missing = tools.filter((tool) => findOnPath(tool) === null);
  if (missing.length > 0) {
    throw new Error(`${missing.join(' and ')} not found on PATH: install a JDK (17 or later) and Maven`);
  }
}
