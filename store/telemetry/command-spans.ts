import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent, MongoClient } from 'mongodb';

/**
 * Makes a span of each command to MongoDB that is sent for something that is traced. By the driver's own events and not by an instrumentation that
 * replaces its functions: those events come in the context of the caller, in sources and in a build alike, and what a span says is chosen here. It says the name of
 * the command and of the collection, and nothing of its content: filters have ids of tenants and resources in them.
 * @param client created with `monitorCommands`.
 */
export function traceCommands(client: MongoClient): void {
  const tracer = trace.getTracer('drover/mongodb');
  const open = new Map<string, Span>();
  client.on('commandStarted', (event: CommandStartedEvent) => {
    if (trace.getActiveSpan() === undefined) return;
    const { commandName, command, databaseName } = event;
    const target: unknown = commandName === 'getMore' ? command.collection : command[commandName];
    const collection = typeof target === 'string' ? { 'db.collection.name': target } : {};
    open.set(
      keyOf(event),
      tracer.startSpan(typeof target === 'string' ? `${commandName} ${target}` : commandName, {
        kind: SpanKind.CLIENT,
        attributes: {
          'db.system.name': 'mongodb',
          'db.operation.name': commandName,
          'db.namespace': databaseName,
          ...collection,
        },
      }),
    );
  });
  const end = (event: CommandFailedEvent | CommandSucceededEvent, failure?: string): void => {
    const span = open.get(keyOf(event));
    if (span === undefined) return;
    open.delete(keyOf(event));
    if (failure !== undefined) {
      span.setAttribute('error.type', failure);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  };
  client.on('commandSucceeded', (event) => end(event));
  client.on('commandFailed', (event) =>
    end(event, String('code' in event.failure ? event.failure.code : event.failure.name)),
  );
}

/** A request id is that of one connection. */
const keyOf = ({
  address,
  connectionId,
  requestId,
}: CommandStartedEvent | CommandFailedEvent | CommandSucceededEvent): string =>
  `${address}/${connectionId}/${requestId}`;
