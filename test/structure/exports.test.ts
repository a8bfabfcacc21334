import { expect, test } from 'vitest';
import { filesOf, read } from '../harness/repository.ts';

/**
 * No exported name is used in its own file only. knip finds those, but for types that another export of the file names: to it they
 * are used.
 */
const EXPORT = /^export (?:declare )?(?:async )?(?:interface|type|class|function\*?|const|let|enum) ([\w$]+)/gm;
const GENERATED = 'packages/client/src/openapi.ts';

const sources = new Map(
  [...filesOf('*.ts'), ...filesOf('*.tsx')].flatMap((file) =>
    file === GENERATED ? [] : [[file, read(file)] as const],
  ),
);

/** Names that more than one file holds, in whatever place. */
function sharedWords(): ReadonlySet<string> {
  const [seen, shared] = [new Set<string>(), new Set<string>()];
  for (const text of sources.values()) {
    const words = new Set(text.match(/[A-Za-z_$][\w$]*/g));
    for (const word of words) (seen.has(word) ? shared : seen).add(word);
  }
  return shared;
}

test('every exported name is used in another file', () => {
  const shared = sharedWords();
  const exported = [...sources].flatMap(([file, text]) =>
    [...text.matchAll(EXPORT)].map(([, name = '']) => ({ file, name })),
  );
  expect(exported.length).toBeGreaterThan(1_000);
  expect(exported.filter(({ name }) => !shared.has(name))).toEqual([]);
});
