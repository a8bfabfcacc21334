import { expect, test } from 'vitest';
import { filesOf, read } from '../harness/repository.ts';

/** The linter refuses imports upward and circles; it cannot allow a type and refuse a value. */
test('workflows import types of activities, and nothing that would run inside a workflow', () => {
  const imports = filesOf('workflows/*.ts').flatMap((file) =>
    [...read(file).matchAll(/^import [^;]*? from '[^']*\/activities\/[^']*';/gm)].map(([text]) => ({ file, text })),
  );
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter(({ text }) => !text.startsWith('import type '))).toEqual([]);
});
