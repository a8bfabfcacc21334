import { createInterface, type Interface } from 'node:readline/promises';
import { Interrupted, UsageError } from '../exit.ts';
import type { Output } from './output.ts';
import { oneLine } from './plain.ts';

/** Asks before something is destroyed. @throws UsageError where nobody can be asked; Interrupted if the answer is no. */
export async function confirm({ terminal }: Output, question: string, isSure: boolean): Promise<void> {
  if (isSure) return;
  if (terminal.in.isTTY !== true) throw new UsageError(`${question} Nobody can be asked here: say --yes`);
  const lines = createInterface({ input: terminal.in, output: terminal.err });
  try {
    const answer = await Promise.race([lines.question(`${oneLine(question)} (y/N) `), closed(lines)]);
    if (!/^y(es)?$/i.test(answer.trim())) throw new Interrupted('nothing was changed');
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw new Interrupted('nothing was changed');
    throw error;
  } finally {
    lines.close();
  }
}

/** @throws Interrupted once there is nothing more to read: the end of the input is no answer. */
const closed = (lines: Interface): Promise<never> =>
  new Promise((_, reject) => lines.once('close', () => reject(new Interrupted('nothing was changed'))));
