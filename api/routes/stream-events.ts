import { z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import { type BatchStatus, isTerminal } from '../../domain/batch/batch.ts';
import type { Scope } from '../../domain/batch/scope.ts';
import type { ApiContext } from '../http/context.ts';
import { headOnly } from '../http/streams.ts';
import { assertAwaited } from '../middleware/outage.ts';
import type { StateEvent, StateEvents } from '../state/state-events.ts';

/** Headers of a request for events. */
export const LAST_EVENT = z.object({
  'last-event-id': z.string().optional().openapi({ description: 'Id of the last event that was seen' }),
});

export const aboutEvents = (name: string): string =>
  `Each event is named \`${name}\`, and has an id and the ${name} as JSON; comments keep a silent stream alive. With \`Last-Event-ID\` a stream goes on where another one broke off.`;

/**
 * Answers to a request for events. OpenAPI 3.1 has no word for the events of a stream; tools take the schema of one, as 3.2 has it under another name.
 * @param schema of the data, as the document names it.
 */
export function eventResponses(name: string, schema: string) {
  const toSchema = { $ref: `#/components/schemas/${schema}` };
  return {
    200: {
      description: `Events \`${name}\`, each with the ${name}`,
      content: {
        'text/event-stream': {
          schema: z.unknown().openapi({
            type: 'object',
            required: ['event', 'id', 'data'],
            description: `Server-sent events (WHATWG HTML, section 9.2), each of this form; the data is a \`${schema}\` as JSON, on one line`,
            example: { event: name, id: '7', data: `{"${name}Id":"0198…","status":"processing"}` },
            properties: {
              event: { type: 'string', enum: [name] },
              id: { type: 'string' },
              // JSON in a text, of JSON Schema 2020-12
              data: { type: 'string', contentMediaType: 'application/json', contentSchema: toSchema } as never,
            },
          }),
        },
      },
    },
    204: { description: 'The Last-Event-ID is that of the last event: there are no more' },
  };
}

/** What is watched, as it was found. */
type Watched = Scope & { readonly _id: string; readonly status: BatchStatus };

/**
 * Answers with a stream of server-sent events: one at each change, and a last one at the end.
 * @param name of the events.
 */
export async function answerWithEvents<Document, View extends { readonly status: BatchStatus }>(
  c: ApiContext,
  name: string,
  events: StateEvents<Document, View>,
  watched: Watched,
): Promise<Response> {
  const seen = c.req.header('last-event-id');
  // A client that has seen the last event reconnects: 204 stops that.
  if (seen !== undefined && isTerminal(watched.status)) {
    const now = await events.read(watched, watched._id);
    if (now?.isLast && now.id === seen) return c.body(null, 204);
  }
  const head = headOnly(c, 'text/event-stream');
  if (head !== null) return head;
  // the stream of a disconnected request would neither be read nor ended
  assertAwaited();
  c.var.load.becomeStream();
  return streamEvents(c, name, events, watched, seen);
}

/** A client that reads slowly misses states in between, never the latest one. */
function streamEvents<Document, View extends { readonly status: BatchStatus }>(
  c: ApiContext,
  name: string,
  events: StateEvents<Document, View>,
  watched: Watched,
  lastSeen: string | undefined,
): Response {
  return streamSSE(c, async (stream) => {
    let next: StateEvent<View> | 'over' | undefined;
    let isSilent = false;
    let notify = (): void => undefined;
    const unwatch = events.watch(watched, watched._id, (event) => {
      next = event;
      notify();
    });
    const silence = setInterval(() => {
      isSilent = true;
      notify();
    }, events.commentEveryMs);
    stream.onAbort(() => {
      next = 'over';
      notify();
    });
    let seen = lastSeen;
    try {
      for (;;) {
        const event = next;
        next = undefined;
        if (event === 'over') return;
        if (event !== undefined) {
          if (event.id !== seen) await stream.writeSSE({ event: name, id: event.id, data: JSON.stringify(event.view) });
          seen = event.id;
          if (event.isLast) return;
        } else if (isSilent) {
          isSilent = false;
          await stream.write(': still here\n\n');
        } else await new Promise<void>((resolve) => (notify = resolve));
      }
    } finally {
      clearInterval(silence);
      unwatch();
    }
  });
}
