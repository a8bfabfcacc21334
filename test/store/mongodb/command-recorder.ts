import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Collection, type CommandStartedEvent, type Document, MongoClient } from 'mongodb';
import { INDEXES } from '../../../store/mongodb/indexes.ts';
import { type Query, serviceOf } from './index-rules.ts';

/** The folders whose code sends commands to MongoDB: no other code knows a query. */
const FOLDERS = ['store', 'isolation'].map((name) => new URL(`../../../${name}/`, import.meta.url));
/** Stack frames that are searched for the calling function. */
const STACK = 40;

const METHODS = [
  'find',
  'findOne',
  'findOneAndUpdate',
  'findOneAndDelete',
  'countDocuments',
  'updateOne',
  'updateMany',
  'deleteOne',
  'deleteMany',
  'replaceOne',
  'bulkWrite',
  'distinct',
  'aggregate',
] as const;

/** The commands that a process sends to MongoDB, and the functions of `store/` that send them. */
export class CommandRecorder {
  /** Shape of a query -> a query of that shape, with its collection. */
  readonly queries = new Map<string, { collection: string; query: Query }>();
  readonly functions = new Set<string>();
  /** How many commands of each name were sent. */
  readonly commands = new Map<string, number>();
  readonly #undo: (() => void)[] = [];

  /** Records from now on; clients need `monitorCommands=true` in their URI. */
  start(): void {
    const { emit } = MongoClient.prototype;
    const record = ({ commandName, command }: CommandStartedEvent): void => {
      this.commands.set(commandName, (this.commands.get(commandName) ?? 0) + 1);
      this.#record(command);
    };
    MongoClient.prototype.emit = function (this: MongoClient, ...given: Parameters<typeof emit>) {
      if (given[0] === 'commandStarted') record(given[1] as unknown as CommandStartedEvent);
      return emit.apply(this, given);
    } as typeof emit;
    this.#undo.push(() => {
      MongoClient.prototype.emit = emit;
    });
    const prototype = Collection.prototype as unknown as Record<string, (...given: unknown[]) => unknown>;
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = STACK;
    this.#undo.push(() => {
      Error.stackTraceLimit = stackTraceLimit;
    });
    const note = (): void => this.#noteCallers(new Error('where').stack ?? '');
    for (const method of METHODS) {
      const original = prototype[method];
      if (original === undefined) throw new Error(`the driver has no ${method}`);
      prototype[method] = function (...given: unknown[]) {
        note();
        return original.apply(this, given);
      };
      this.#undo.push(() => {
        prototype[method] = original;
      });
    }
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #noteCallers(stack: string): void {
    for (const line of stack.split('\n')) {
      const [, file] = /\/(?:store|isolation)\/(?:[\w-]+\/)*([\w-]+)\.ts/.exec(line) ?? [];
      const [, called] = /at (?:async )?([\w.$]+)/.exec(line) ?? [];
      if (file === undefined || called === undefined) continue;
      for (const part of called.split('.')) this.functions.add(`${file}.${part}`);
    }
  }

  #record(command: Document): void {
    for (const [collection, query] of queriesIn(command)) {
      this.queries.set(`${collection} ${shapeOf(query)}`, { collection, query });
    }
  }
}

/** The driver passes a sort order as a map. */
const orderOf = (sort: unknown): Document =>
  sort instanceof Map ? Object.fromEntries(sort) : ((sort ?? {}) as Document);

function queriesIn(command: Document): [string, Query][] {
  if (command.find) return [[command.find, { filter: command.filter ?? {}, sort: orderOf(command.sort) }]];
  if (command.findAndModify) return [[command.findAndModify, { filter: command.query, sort: orderOf(command.sort) }]];
  if (command.update) return command.updates.map(({ q }: Document) => [command.update, { filter: q }]);
  if (command.delete) return command.deletes.map(({ q }: Document) => [command.delete, { filter: q }]);
  if (command.distinct) return [[command.distinct, { filter: command.query ?? {} }]];
  if (command.aggregate) {
    const match = command.pipeline.find((stage: Document) => stage.$match)?.$match ?? {};
    return [[command.aggregate, { filter: match }]];
  }
  return [];
}

/** Fields and operators, without values; the same for the same kind of query. */
function shapeOf({ filter, sort }: Query): string {
  const order = Object.entries(sort ?? {}).map(([field, direction]) => `${Number(direction) < 0 ? '-' : ''}${field}`);
  return `${conditions(filter)}${order.length > 0 ? ` by ${order.join(',')}` : ''}`;
}

const conditions = (filter: Document): string => {
  const parts = Object.entries(filter).map(([field, condition]) => {
    if (field.startsWith('$')) return `${field.slice(1)}[${(condition as Document[]).map(conditions).join('; ')}]`;
    return `${generic(field)}${operatorsOf(condition)}`;
  });
  return `{${[...new Set(parts)].sort().join(', ')}}`;
};

/** Names that contain an id or an index. */
const generic = (field: string): string =>
  field
    .replace(/\b[0-9a-f]{8}-[0-9a-f-]{27}(:\d+)?/g, '*')
    .replace(/\bfences\.[\w-]+/g, 'fences.*')
    .replace(/\b\d+\b/g, '*');

function operatorsOf(condition: unknown): string {
  const isPlain = typeof condition === 'object' && condition !== null && !Array.isArray(condition);
  const names = isPlain ? Object.keys(condition) : [];
  if (names.length === 0 || !names.every((name) => name.startsWith('$'))) return '';
  return ` ${names
    .map((name) => (name === '$exists' ? ((condition as Document).$exists ? 'present' : 'absent') : name.slice(1)))
    .sort()
    .join(' ')}`;
}

/** The index that serves a recorded query, and the other fields that are compared; null if no index does. */
export function servedBy({ collection, query }: { collection: string; query: Query }): string | null {
  const service = serviceOf(
    query,
    INDEXES.filter((index) => index.collection === collection),
  );
  if (service === null) return null;
  const isById = service.indexes.join() === '_id';
  const residual = isById || service.residual.length === 0 ? '' : `, then ${generic(service.residual.join(', '))}`;
  return `${service.indexes.join(' + ')}${residual}`;
}

/** Every function of `store/` and `isolation/` that sends a command to MongoDB, as `file.function`. */
export function functionsThatAsk(): string[] {
  const asks = new RegExp(`\\.(${METHODS.join('|')})\\(`);
  return FOLDERS.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => new URL(name, folder)),
  )
    .filter((file) => file.pathname.endsWith('.ts'))
    .flatMap((file) => {
      const parts = readFileSync(file, 'utf8')
        .split(/^(?:export )?(?:async )?function\*? /m)
        .slice(1);
      return parts.flatMap((part) => {
        const [body = ''] = part.split(/^}/m);
        const isAsking = /database|collection/i.test(body) && asks.test(body);
        return isAsking ? [`${basename(file.pathname, '.ts')}.${/^\w+/.exec(part)?.[0] ?? ''}`] : [];
      });
    });
}
