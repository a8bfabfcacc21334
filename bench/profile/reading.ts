import { readdirSync, readFileSync } from 'node:fs';
import type { Figure } from '../figures/figures.ts';

/** MongoDB commands a batch, by command and collection, of all processes that counted into this folder. */
export function commandsIn(folder: string, batches: number): Figure[] {
  const sums = new Map<string, { commands: number; ms: number }>();
  for (const file of readdirSync(folder).filter((name) => name.startsWith('commands-'))) {
    const counts = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as Record<
      string,
      { commands: number; ms: number }
    >;
    for (const [name, { commands, ms }] of Object.entries(counts)) {
      const sum = sums.get(name) ?? { commands: 0, ms: 0 };
      sums.set(name, { commands: sum.commands + commands, ms: sum.ms + ms });
    }
  }
  return [...sums]
    .filter(([, { commands }]) => commands >= batches)
    .sort(([, a], [, b]) => b.ms - a.ms)
    .map(([name, { commands, ms }]) => ({
      name,
      unit: 'commands a batch',
      values: [commands / batches],
      note: `${(ms / commands).toFixed(1)} ms each`,
    }));
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { functionName: string; url: string; lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const SHOWN = 30;

/** The functions in which a process itself spent most of its time, as lines. */
export function hottestIn(file: string): string {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as Profile;
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const { functionName, url, lineNumber } = frames.get(id) ?? { functionName: '?', url: '', lineNumber: 0 };
    const name = `${functionName || '(anonymous)'} ${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`;
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[at] ?? 0) / 1000);
  }
  const busy = [...times].filter(([name]) => !name.startsWith('(idle)')).reduce((sum, [, ms]) => sum + ms, 0);
  return [...times]
    .filter(([name]) => !name.startsWith('(idle)'))
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(
      ([name, ms]) =>
        `${((100 * ms) / busy).toFixed(1).padStart(5)} %  ${Math.round(ms).toString().padStart(6)} ms  ${name}`,
    )
    .join('\n');
}
