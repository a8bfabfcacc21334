import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DroverClient, NewSchemaDefinition, SchemaDefinition } from '@drover/client';
import type { Command } from 'commander';
import { createTwoFilesPatch } from 'diff';
import type { Context, ProgramParts } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { firstOf, type Limited, limitOption } from '../options/limit.ts';
import { confirm } from '../terminal/confirm.ts';
import { jsonText, manyLines } from '../terminal/plain.ts';
import type { Column } from '../terminal/table.ts';
import { addCommand } from './add-command.ts';

const COLUMNS: readonly Column<SchemaDefinition>[] = [
  { name: 'NAME', of: ({ name }) => name, isKept: true },
  { name: 'PLURAL', of: ({ pluralName }) => pluralName },
  { name: 'VERSION', of: ({ versionNumber }) => versionNumber },
  { name: 'REFERS TO', of: ({ referenceSchemas }) => referenceSchemas.length },
  { name: 'UPDATED', of: ({ updatedAt }) => updatedAt },
  { name: 'ID', of: ({ id }) => id },
];

/** `drover schema …` */
export function addSchemaCommands(program: Command, parts: ProgramParts): void {
  const schema = program.command('schema').description('Schema definitions: the types of resources.');
  addCommand<Limited>(schema, parts, {
    usage: 'list',
    summary: 'List schema definitions, newest first',
    examples: ['drover schema list', 'drover schema list --json --limit all'],
    options: limitOption,
    run: async ({ client, output, signal }, _, { limit }) => {
      const list = firstOf(client.schemaDefinitions.list({ signal }), limit);
      await output.list(list, COLUMNS, 'there is no schema definition');
      return EXIT.done;
    },
  });
  addCommand(schema, parts, {
    usage: 'get <schema>',
    summary: 'Print a schema definition as JSON',
    examples: ['drover schema get city > city.json'],
    run: async ({ client, output, signal }, [name = '']) => {
      const found = await client.schemaDefinitions.get(name, { signal });
      await output.write(`${jsonText(found, output.form === 'ndjson' ? undefined : 2)}\n`);
      return EXIT.done;
    },
  });
  addCommand(schema, parts, {
    usage: 'push <file...>',
    summary: 'Define the schema definitions of files, or bring those that exist to their state',
    more: 'A file holds one as JSON: {"name": …, "schema": …}, as drover schema pull writes them. One that is the same already stays as it is.',
    examples: ['drover schema push city.json', 'drover schema push schemas/*.json'],
    run: push,
  });
  addCommand(schema, parts, {
    usage: 'pull <dir>',
    summary: 'Write all schema definitions to files of a folder, NAME.json each',
    examples: ['drover schema pull schemas && git diff schemas'],
    run: pull,
  });
  addCommand(schema, parts, {
    usage: 'diff <dir>',
    summary: 'Show how the files of a folder differ from the schema definitions of the service',
    more: 'Ends with 0 if they are the same, else with 1.',
    examples: ['drover schema diff schemas'],
    run: diff,
  });
  addCommand(schema, parts, {
    usage: 'delete <schema>',
    summary: 'Delete a schema definition that nothing uses',
    more: 'While it has resources, or other schema definitions refer to it, the service refuses, and says how many.',
    examples: ['drover schema delete lake --yes'],
    run: async ({ client, output, options, signal }, [given = '']) => {
      const { id, name, versionNumber } = await client.schemaDefinitions.get(given, { signal });
      await confirm(output, `Delete schema definition ${name}, version ${versionNumber}?`, options.yes === true);
      await client.schemaDefinitions.delete(id, { signal });
      await output.one({ name, deleted: true }, [['deleted', name]]);
      return EXIT.done;
    },
  });
}

/** What a file holds of a definition: not what the service adds. */
function portable({
  name,
  pluralName,
  description,
  externalIdField,
  schema,
}: NewSchemaDefinition): NewSchemaDefinition {
  return {
    name,
    ...(pluralName !== undefined && { pluralName }),
    ...(description !== undefined && { description }),
    ...(externalIdField !== undefined && externalIdField !== 'externalId' && { externalIdField }),
    schema,
  };
}

/** The service keeps names apart without regard to case. */
const keyOf = (name: string): string => name.toLowerCase();
const textOf = (definition: NewSchemaDefinition): string => `${JSON.stringify(portable(definition), null, 2)}\n`;

async function definitionIn(file: string): Promise<NewSchemaDefinition> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${file} is no JSON: ${error.message}`);
    throw error;
  }
  const { name, schema } = (parsed ?? {}) as Partial<NewSchemaDefinition>;
  if (typeof name !== 'string' || typeof schema !== 'object' || schema === null)
    throw new UsageError(`${file} is no schema definition: {"name": …, "schema": …}`);
  return parsed as NewSchemaDefinition;
}

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(folder, name));
}

async function allOf(client: DroverClient, signal: AbortSignal): Promise<Map<string, SchemaDefinition>> {
  const definitions = await client.schemaDefinitions.list({ signal }).toArray();
  return new Map(definitions.map((definition) => [keyOf(definition.name), definition]));
}

async function push({ client, output, signal }: Context, files: readonly string[]): Promise<number> {
  const wanted = await Promise.all(files.map(definitionIn));
  const there = await allOf(client, signal);
  const done: { name: string; result: 'created' | 'updated' | 'unchanged'; versionNumber: number }[] = [];
  for (const definition of wanted) {
    const { name } = definition;
    const before = there.get(keyOf(name));
    if (before !== undefined && textOf(before) === textOf(definition)) {
      done.push({ name, result: 'unchanged', versionNumber: before.versionNumber });
      continue;
    }
    const after = before
      ? await client.schemaDefinitions.replace(before.id, portable(definition), { signal })
      : await client.schemaDefinitions.create(portable(definition), { signal });
    done.push({ name, result: before ? 'updated' : 'created', versionNumber: after.versionNumber });
  }
  const columns: Column<(typeof done)[number]>[] = [
    { name: 'NAME', of: ({ name }) => name },
    { name: 'RESULT', of: ({ result }) => result },
    { name: 'VERSION', of: ({ versionNumber }) => versionNumber },
  ];
  await output.list(done, columns, 'nothing to define');
  return EXIT.done;
}

async function pull({ client, output, signal }: Context, [folder = '']: readonly string[]): Promise<number> {
  await mkdir(folder, { recursive: true });
  const written: { name: string; file: string }[] = [];
  for (const definition of (await allOf(client, signal)).values()) {
    if (!/^[\w-]+$/.test(definition.name)) throw new Error(`the service has a name that is none: ${definition.name}`);
    const file = join(folder, `${definition.name}.json`);
    await writeFile(file, textOf(definition));
    written.push({ name: definition.name, file });
  }
  const columns: Column<(typeof written)[number]>[] = [
    { name: 'NAME', of: ({ name }) => name },
    { name: 'FILE', of: ({ file }) => file },
  ];
  await output.list(written, columns, 'there is no schema definition');
  return EXIT.done;
}

async function diff({ client, output, signal }: Context, [folder = '']: readonly string[]): Promise<number> {
  const there = await allOf(client, signal);
  const changes: { name: string; change: 'only here' | 'only there' | 'differs'; patch: string }[] = [];
  for (const file of await filesIn(folder)) {
    const definition = await definitionIn(file);
    const before = there.get(keyOf(definition.name));
    there.delete(keyOf(definition.name));
    const [old, next] = [before ? textOf(before) : '', textOf(definition)];
    if (old === next) continue;
    const patch = createTwoFilesPatch(before ? `service/${before.name}` : '/dev/null', file, old, next);
    changes.push({ name: definition.name, change: before ? 'differs' : 'only here', patch });
  }
  for (const { name, ...rest } of there.values())
    changes.push({
      name,
      change: 'only there',
      patch: createTwoFilesPatch(`service/${name}`, '/dev/null', textOf({ name, ...rest }), ''),
    });
  if (output.form === 'text')
    for (const { patch } of changes) await output.write(coloured(manyLines(patch), output.colours));
  else await output.list(changes, [], '');
  return changes.length === 0 ? EXIT.done : EXIT.notAll;
}

const coloured = (patch: string, { red, green, cyan }: Context['output']['colours']): string =>
  patch
    .replace(/^=+\n/, '')
    .split('\n')
    .map((line) =>
      line.startsWith('+') ? green(line) : line.startsWith('-') ? red(line) : line.startsWith('@') ? cyan(line) : line,
    )
    .join('\n');
