/** Results of this run, so that a machine without internet waits once only. */
const answered = new Map<string, Promise<boolean>>();

/** Longest wait for the host of a download, in ms. */
const PROBE_TIMEOUT_MS = 4_000;

/** Whether the host of a download can be reached; checked once a run, within 4 s. */
export function canDownload(url: string): Promise<boolean> {
  const known = answered.get(url);
  if (known) return known;
  const answer = fetch(url, { method: 'HEAD', redirect: 'follow', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).then(
    (response) => response.ok,
    () => false,
  );
  answered.set(url, answer);
  return answer;
}
