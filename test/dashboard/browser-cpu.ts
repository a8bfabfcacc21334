import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of Linux in a second, as `getconf CLK_TCK` says everywhere. */
const TICKS_PER_SECOND = 100;

interface Process {
  readonly parent: number;
  readonly command: string;
  readonly ticks: number;
}

function processOf(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // the name may have spaces and brackets
    const end = stat.lastIndexOf(')');
    const fields = stat.slice(end + 2).split(' ');
    const [parent, user, system] = [fields[1], fields[11], fields[12]].map(Number);
    return { parent: parent ?? 0, command: stat.slice(stat.indexOf('(') + 1, end), ticks: (user ?? 0) + (system ?? 0) };
  } catch {
    return null;
  }
}

/** Seconds of processor time that the browsers which this process has started have used so far, all their processes together; null but on Linux. */
export function browserSeconds(): number | null {
  if (process.platform !== 'linux') return null;
  const all = new Map(
    readdirSync('/proc').flatMap((name) => {
      const found = /^\d+$/.test(name) ? processOf(Number(name)) : null;
      return found === null ? [] : [[Number(name), found] as const];
    }),
  );
  const isOurs = (pid: number): boolean => {
    const parent = all.get(pid)?.parent ?? 0;
    return parent === process.pid || (parent > 1 && isOurs(parent));
  };
  const ours = [...all].filter(([pid, { command }]) => /chrom/i.test(command) && isOurs(pid));
  return ours.reduce((sum, [, { ticks }]) => sum + ticks, 0) / TICKS_PER_SECOND;
}
