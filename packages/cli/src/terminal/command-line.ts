/** Options that are never repeated: a token would stay in the history of a shell. */
const SECRET = ['--token'];

/**
 * The command that was given, to be given again: with other values of some options, and without secrets.
 * @param set options by name; null leaves one out.
 */
export function commandLine(args: readonly string[], set: Readonly<Record<string, string | null>>): string {
  const left = [...SECRET, ...Object.keys(set)];
  const kept: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? '';
    if (left.includes(word)) at += 1;
    else if (!left.some((name) => word.startsWith(`${name}=`))) kept.push(word);
  }
  const added = Object.entries(set).flatMap(([name, value]) => (value === null ? [] : [name, value]));
  // what follows -- are no options
  const end = kept.indexOf('--');
  kept.splice(end === -1 ? kept.length : end, 0, ...added);
  return ['drover', ...kept].map(quoted).join(' ');
}

/** The same with options of connections alone: `drover imports get ID --tenant acme`. */
export function sameConnection(args: readonly string[], ...command: readonly string[]): string {
  const kept: string[] = [];
  for (const [at, word] of args.entries()) {
    const [name = ''] = word.split('=', 1);
    if (!CONNECTION.includes(name)) continue;
    kept.push(word);
    if (word === name) kept.push(args[at + 1] ?? '');
  }
  return ['drover', ...command, ...kept].map(quoted).join(' ');
}

const CONNECTION = ['--url', '--tenant', '--profile'];

const quoted = (text: string): string => (/^[\w./@%+=:,…-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
