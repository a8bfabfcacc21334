import type { IncomingMessage, ServerResponse } from 'node:http';

/** The time limit of one request. */
export interface RequestTime {
  /** The body may take as long as it needs: another limit is in force while it is read. */
  suspend(): void;
  /** The time limit begins anew. */
  restart(): void;
}

const TOO_LATE = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';

/** Limits the time of a request by closing its connection; begins now. */
export function timeOf(
  incoming: IncomingMessage,
  outgoing: ServerResponse | undefined,
  { REQUEST_TIMEOUT_SECONDS }: { readonly REQUEST_TIMEOUT_SECONDS: number },
): RequestTime {
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    if (incoming.complete) return;
    if (!outgoing?.headersSent) incoming.socket.write(TOO_LATE);
    incoming.socket.destroySoon();
  };
  const suspend = (): void => clearTimeout(timer);
  const restart = (): void => {
    suspend();
    if (!incoming.complete && !incoming.destroyed) timer = setTimeout(end, REQUEST_TIMEOUT_SECONDS * 1000).unref();
  };
  incoming.once('end', suspend);
  incoming.once('close', suspend);
  restart();
  return { suspend, restart };
}
