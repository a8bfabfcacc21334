import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { canDownload } from './downloads.ts';
import { onceBuilt, type Say } from './once-built.ts';
import { findOnPath, isExecutable, run } from './processes.ts';

/** The newest that `go install` can build; its server is 1.29.1. A download gets the same, so that machines agree. */
const VERSION = '1.5.1';

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
  const url = downloadUrl();
  if (url && (await canDownload(url))) {
    return onceBuilt(path, `Temporal: downloading temporal ${VERSION}`, say, (unfinished) => download(url, unfinished));
  }
  if (findOnPath('go') === null) {
    throw new Error(
      'Temporal: there is no temporal on PATH, none can be downloaded from here, and there is no Go to build it: ' +
        'install the Temporal CLI or Go, or set TEMPORAL_ADDRESS',
    );
  }
  return onceBuilt(path, `Temporal: building temporal ${VERSION} with Go, 3 to 5 minutes`, say, build);
}

/** Null where no release is built for this machine. */
function downloadUrl(): string | null {
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];
  if (!architecture || !['linux', 'darwin'].includes(process.platform)) return null;
  const release = `https://github.com/temporalio/cli/releases/download/v${VERSION}`;
  return `${release}/temporal_cli_${VERSION}_${process.platform}_${architecture}.tar.gz`;
}

async function download(url: string, target: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`the download of temporal answered ${response.status}`);
  const folder = `${target}.folder`;
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, 'archive.tar.gz');
  writeFileSync(archive, Buffer.from(await response.arrayBuffer()));
  await run('tar', ['-xzf', archive, '-C', folder, 'temporal'], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
  takeFrom(folder, target);
}

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
