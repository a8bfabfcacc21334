import { expect, test } from 'vitest';
import { loadConfig, VARIABLES } from '../../process/config.ts';
import { read } from '../harness/repository.ts';

/** Variables of the images that the compose file runs besides Drover's. */
const IMAGES_VARIABLES = [
  'BIND_ON_IP',
  'DB_PORT',
  'DYNAMIC_CONFIG_FILE_PATH',
  'POSTGRES_PASSWORD',
  'POSTGRES_PWD',
  'POSTGRES_SEEDS',
  'POSTGRES_USER',
  'SQL_HOST',
  'SQL_PASSWORD',
  'SQL_PLUGIN',
  'SQL_PORT',
  'SQL_USER',
];

/** The name and value of each line of .env.example. */
function example(): Map<string, string> {
  const lines = read('.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm);
  return new Map([...lines].map(([, name = '', value = '']) => [name, value]));
}

test('.env.example names every variable that exists, and no others', () => {
  // set by the program that starts the process, not by an operator
  const expected = VARIABLES.filter((name) => name !== 'NODE_ENV');
  expect([...example().keys()].sort()).toEqual([...expected].sort());
});

/** Variables that a page names in code or in a command, except those of other products on the page. */
function variablesIn(page: string): string[] {
  const names = [...page.matchAll(/(?<![\w./<-])([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)(?![\w(*])/g)].map(
    ([, name = '']) => name,
  );
  return [...new Set(names)];
}

/** Other capitalized names on the pages: constants of the code, batch types, names of Go and Temporal, settings of tests. */
const OTHERS =
  /^(GOSUMDB|FAIRNESS_SHARE|REQUEST_CANCEL|SEARCH_ATTRIBUTES|PARTNER_RESOURCE_|PROCESS_INSTANCE_|BATCH_UNDO|RECORD_HISTORIES|(INTERNALLY|EXTERNALLY)_TERMINATED)/;

test.each(['README.md', 'SECURITY.md', 'docker-compose.yml'])('%s names no variable that does not exist', (page) => {
  const known = new Set([...VARIABLES, ...IMAGES_VARIABLES]);
  expect(variablesIn(read(page)).filter((name) => !known.has(name) && !OTHERS.test(name))).toEqual([]);
});

test('the table of docs/operations.md has no variable that does not exist', () => {
  const rows = read('docs/operations.md').matchAll(/^\| (`[A-Z][A-Z0-9_]+`[^|]*)\|/gm);
  const named = [...rows].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([A-Z0-9_]+)`/g)].map(([, name = '']) => name),
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((name) => !VARIABLES.includes(name))).toEqual([]);
});

test('the values in .env.example are the defaults', () => {
  expect(loadConfig(Object.fromEntries(example()))).toEqual(loadConfig({}));
});
