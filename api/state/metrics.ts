import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Operation } from '../../domain/batch/batch.ts';
import { SERVER_NAMES, type Server } from '../http/api-error.ts';

/** Bounds of the histogram, in seconds: most answers take milliseconds, an outage five seconds. */
const DURATIONS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Values that are read when metrics are requested. */
interface Readings {
  bodyBytes(): number;
  watchedBatches(): number;
}

/** The metrics of one API process. No label grows with tenants, schema definitions or batches. */
export class Metrics {
  readonly registry = new Registry();
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #durations: Histogram<'method' | 'route'>;
  readonly #inFlight: Gauge;
  readonly #batches: Counter<'operation'>;
  readonly #items: Counter<'operation'>;
  readonly #accepting: Histogram<'operation'>;
  readonly #unavailable: Counter<'server'>;

  constructor(readings: Readings) {
    const registers = [this.registry];
    this.#requests = new Counter({
      name: 'drover_http_requests_total',
      help: 'Requests that were answered',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'drover_http_request_duration_seconds',
      help: 'Time until an answer began',
      labelNames: ['method', 'route'],
      buckets: DURATIONS,
      registers,
    });
    this.#inFlight = new Gauge({
      name: 'drover_http_requests_in_flight',
      help: 'Requests that wait for their answer',
      registers,
    });
    this.#batches = new Counter({
      name: 'drover_batches_accepted_total',
      help: 'Requests that were answered with an accepted batch',
      labelNames: ['operation'],
      registers,
    });
    this.#items = new Counter({
      name: 'drover_items_accepted_total',
      help: 'Items of the accepted batches',
      labelNames: ['operation'],
      registers,
    });
    this.#accepting = new Histogram({
      name: 'drover_batch_accept_duration_seconds',
      help: 'Time from the begin of a request until its batch is durable and started, or sure to be started',
      labelNames: ['operation'],
      buckets: DURATIONS,
      registers,
    });
    this.#unavailable = new Counter({
      name: 'drover_server_unavailable_total',
      help: 'Requests that were answered with 503, by the server that was unavailable',
      labelNames: ['server'],
      registers,
    });
    for (const server of Object.values(SERVER_NAMES)) this.#unavailable.inc({ server }, 0);
    measure(registers, 'drover_request_body_bytes', 'Bytes of request bodies that are held', readings.bodyBytes);
    measure(
      registers,
      'drover_watched_batches',
      'Batches and imports whose events are being read',
      readings.watchedBatches,
    );
  }

  /** Adds the metrics of the process itself: memory, CPU, the delay of its event loop. Once in a process. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  begin(): void {
    this.#inFlight.inc();
  }

  end(request: { method: string; route: string; status: number; seconds: number }): void {
    const { method, route, status, seconds } = request;
    this.#inFlight.dec();
    this.#requests.inc({ method, route, status });
    this.#durations.observe({ method, route }, seconds);
  }

  /** @param beganAt when the request began, by `performance.now()`. */
  accepted(operation: Operation, items: number, beganAt: number): void {
    this.#accepting.observe({ operation }, (performance.now() - beganAt) / 1000);
    this.#batches.inc({ operation });
    this.#items.inc({ operation }, items);
  }

  unavailable(server: Server): void {
    this.#unavailable.inc({ server: SERVER_NAMES[server] });
  }
}

function measure(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}
