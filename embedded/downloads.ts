/** Answers of this run, so that a closed machine pays for the question once. */
const answered = new Map<string, Promise<boolean>>();

/** Longest wait for the host of a download, in ms. */
const PROBE_TIMEOUT_MS = 4_000;

/** Whether a download can be had from here at all; asked once a run, answered within 4 s. */
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
