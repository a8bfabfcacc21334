import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { assertChecksum } from './checksums.ts';
import { canDownload } from './downloads.ts';
import { onceBuilt, type Say } from './once-built.ts';
import { findOnPath, isExecutable, run } from './processes.ts';

/** The newest that `go install` can build; its server is 1.29.1. A download gets the same, so that machines agree. */
const VERSION = '1.5.1';

/** SHA-256 of the archives of that release, by platform. */
const ARCHIVES: Readonly<Record<string, string>> = {
  linux_amd64: 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
  linux_arm64: 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
  darwin_amd64: 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
  darwin_arm64: 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
};

const DOWNLOAD_TIMEOUT_MS = 300_000;
const BUILD_TIMEOUT_MS = 1_200_000;

/**
 * The path of a `temporal` command: the one on PATH, the one in the cache, a download, or a build with Go.
 * @throws one line that says what to install when none of these works.
 */
export async function temporalBinary(say: Say): Promise<string> {
  const installed = findOnPath('temporal');
  if (installed) {
    say(`Temporal: temporal found on PATH (${installed})`);
    return installed;
  }
  const folder = join(cacheDirectory(), 'bin');
  const path = join(folder, 'temporal');
  if (isExecutable(path)) {
    say(`Temporal: temporal found in the cache (${path})`);
    return path;
  }
  const release = releaseOf(process.platform, process.arch);
  if (release && (await canDownload(release.url))) {
    return onceBuilt(path, `Temporal: downloading temporal ${VERSION}`, say, (unfinished) =>
      downloadTemporal(release, unfinished),
    );
  }
  if (findOnPath('go') === null) {
    throw new Error(
      'Temporal: there is no temporal on PATH, none can be downloaded from here, and there is no Go to build it: ' +
        'install the Temporal CLI or Go, or set TEMPORAL_ADDRESS',
    );
  }
  return onceBuilt(path, `Temporal: building temporal ${VERSION} with Go, 3 to 5 minutes`, say, build);
}

/** Where an archive of the command is, and its checksum. */
interface Release {
  readonly url: string;
  readonly sha256: string;
}

/**
 * Null where no release is built for this machine.
 * @internal exported for tests, which check it by itself
 */
export function releaseOf(platform: string, arch: string): Release | null {
  const name = `${platform}_${arch === 'x64' ? 'amd64' : arch}`;
  const sha256 = ARCHIVES[name];
  if (sha256 === undefined) return null;
  const release = `https://github.com/temporalio/cli/releases/download/v${VERSION}`;
  return { url: `${release}/temporal_cli_${VERSION}_${name}.tar.gz`, sha256 };
}

/**
 * @throws ChecksumError if the archive differs from that of the release: nothing of it is unpacked.
 * @internal exported for tests, which check it by itself
 */
export async function downloadTemporal({ url, sha256 }: Release, target: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`the download of temporal answered ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  assertChecksum(bytes, sha256, `Temporal: the download ${url}`);
  const folder = `${target}.folder`;
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, 'archive.tar.gz');
  writeFileSync(archive, bytes);
  await run('tar', ['-xzf', archive, '-C', folder, 'temporal'], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
  takeFrom(folder, target);
}

/** Go checks each module that it fetches against its checksum database (`GOSUMDB`), where the caller has not turned that off. */
async function build(target: string): Promise<void> {
  const folder = `${target}.folder`;
  mkdirSync(folder, { recursive: true });
  const source = `github.com/temporalio/cli/cmd/temporal@v${VERSION}`;
  await run('go', ['install', '-trimpath', '-ldflags', '-s -w', source], {
    timeoutMs: BUILD_TIMEOUT_MS,
    environment: { CGO_ENABLED: '0', GOBIN: folder },
  });
  takeFrom(folder, target);
}

function takeFrom(folder: string, target: string): void {
  renameSync(join(folder, 'temporal'), target);
  chmodSync(target, 0o755);
  rmSync(folder, { recursive: true });
}
