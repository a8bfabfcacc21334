import { readdirSync, readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { freePort } from '../../embedded/ports.ts';
import { ensureRecovery } from '../../services/temporal/recovery-workflow.ts';
import { batchesIn } from '../../store/batches/batches.ts';
import { recoveryWorkflowId } from '../../workflows/messages.ts';
import { Drover } from '../harness/drover.ts';
import { acceptedUpload } from '../harness/left-behind.ts';
import { ROOT, read } from '../harness/repository.ts';

/** What is deployed for Prometheus and Grafana asks for what API and workers show. */

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}
interface Dashboard {
  readonly uid: string;
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

const { groups } = parse(read('deploy/prometheus/alerts.yaml')) as { groups: readonly { rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const dashboards = readdirSync(`${ROOT}/deploy/grafana`).map((file): [string, Dashboard] => [
  file,
  JSON.parse(read(`deploy/grafana/${file}`)),
]);

/** Every query, by where it is. */
const queries: readonly (readonly [string, string])[] = [
  ...rules.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
  ...dashboards.flatMap(([file, { panels }]) =>
    panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [`${file}, ${title}`, expr] as const)),
  ),
];

/** Places of a query that the grammar of Prometheus does not have. */
function faultsOf(query: string): string[] {
  const faults: string[] = [];
  parser.parse(query).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) faults.push(query.slice(from, to));
    },
  });
  return faults;
}

/** The metrics that a query reads. */
function metricsOf(query: string): string[] {
  const names: string[] = [];
  parser.parse(query).iterate({
    enter: ({ name, node }) => {
      const identifier = name === 'VectorSelector' ? node.getChild('Identifier') : null;
      if (identifier) names.push(query.slice(identifier.from, identifier.to));
    },
  });
  return names;
}

/** Shown once a workflow task has failed, which none does here. */
const AFTER_A_FAILURE = 'temporal_workflow_task_execution_failed_total';

test('every query is one of Prometheus, and a wrong one would be found', () => {
  expect(queries.length).toBeGreaterThan(40);
  expect(queries.filter(([, query]) => faultsOf(query).length > 0)).toEqual([]);
  expect(faultsOf('sum by (le (rate(a[5m]))')).not.toEqual([]);
});

test('every alert says how long, how bad and what, and has a name of its own', () => {
  for (const rule of rules) {
    expect(rule.for).toMatch(/^\d+[mh]$/);
    expect(['critical', 'warning']).toContain(rule.labels.severity);
    expect(rule.annotations.summary.length).toBeGreaterThan(20);
  }
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  expect(new Set(dashboards.map(([, { uid }]) => uid)).size).toBe(dashboards.length);
});

describe('a scrape', () => {
  let drover: Drover;
  let shown: Map<string, number[]>;
  let address: string;

  beforeAll(async () => {
    address = `127.0.0.1:${await freePort()}`;
    drover = await Drover.start({ environment: { WORKER_METRICS_ADDRESS: address } });
    drover.services.metrics.watchProcess();
    await drover.define('thing', { next: { $ref: 'reach:schemas/thing' } });
    const large = Array.from({ length: 60 }, (_, n) => ({ externalId: `a-${n}` }));
    await drover.ended(await drover.upload('thing', large));
    const expiring = await drover.upload('thing', [{ externalId: 'x', next: 'never' }], { dependencyWaitTimeout: 1 });
    const woken = await drover.upload('thing', [{ externalId: 'w', next: 'late' }], { dependencyWaitTimeout: 600 });
    await drover.waiting(woken);
    await drover.upload('thing', [{ externalId: 'late' }]);
    for (const id of [expiring, woken]) await drover.ended(id);
    await drover.waiting(
      await drover.upload('thing', [{ externalId: 'y', next: 'never' }], { dependencyWaitTimeout: 600 }),
    );
    const suspended = await drover.upload('thing', [{ externalId: 'z', next: 'never' }], {
      dependencyWaitTimeout: 600,
    });
    await drover.waiting(suspended);
    await drover.request('POST', `/api/batches/${suspended}/suspend`);
    await acceptedUpload(drover, 'thing', [{ externalId: 'left' }]);
    await batchesIn(drover.services.database).updateMany({ unstarted: true }, { $set: { startDue: new Date(0) } });
    // by the worker that runs: the SDK forgets its metrics with the last worker of a process
    await ensureRecovery(drover.services.client, drover.services.taskQueue);
    await vi.waitFor(
      async () => {
        shown = await scrape();
        expect(shown.get('drover_batches{status="waiting"}')).toEqual([2]);
        expect(shown.get('drover_recovered_total{kind="started"}')).toEqual([1]);
      },
      { timeout: 60_000, interval: 500 },
    );
  }, 120_000);
  afterAll(async () => {
    const { client, taskQueue } = drover.services;
    await client.workflow.getHandle(recoveryWorkflowId(taskQueue)).terminate('the test is over');
    await drover.stop();
  });

  /** Each metric, by its name alone and by its name with the labels of ours, with its values. */
  async function scrape(): Promise<Map<string, number[]>> {
    const worker = await (await fetch(`http://${address}/metrics`)).text();
    const api = await (await drover.app.request('/metrics')).text();
    const values = new Map<string, number[]>();
    for (const [, name = '', labels = '', value] of `${worker}\n${api}`.matchAll(
      /^(\w+)(?:\{(.*)\})? ([\d.e+-]+|NaN)$/gm,
    )) {
      const own = labels
        .split(',')
        .filter((label) => /^(?:kind|operation|status)=/.test(label))
        .sort();
      for (const key of new Set([name, own.length > 0 ? `${name}{${own.join(',')}}` : name]))
        values.set(key, [...(values.get(key) ?? []), Number(value)]);
    }
    return values;
  }

  test('has every metric that a dashboard or an alert reads', () => {
    const names = [...new Set(queries.flatMap(([, query]) => metricsOf(query)))];
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !shown.has(name))).toEqual([AFTER_A_FAILURE]);
  });

  test('counts batches that run and wait, and items that are pending, and measures from acceptance to the end', () => {
    const sumOf = (name: string): number | undefined => shown.get(name)?.reduce((sum, value) => sum + value, 0);
    expect(sumOf('drover_suspended_batches')).toBe(1);
    expect(sumOf('drover_pending_items')).toBe(2);
    expect(sumOf('drover_item_wait_seconds_count{status="expired"}')).toBe(1);
    expect(sumOf('drover_item_wait_seconds_count{status="succeeded"}')).toBe(1);
    expect(sumOf('drover_item_wait_seconds_sum{status="expired"}')).toBeGreaterThanOrEqual(1);
    expect(sumOf('drover_batch_duration_seconds_count{status="success"}')).toBeGreaterThanOrEqual(3);
    expect(sumOf('drover_batch_first_item_seconds_count')).toBeGreaterThanOrEqual(5);
    expect(sumOf('drover_batch_accept_duration_seconds_count{operation="upload"}')).toBe(6);
  });
});

test('the metric that appears after a failure has the name that the SDK gives it', () => {
  const folder = `${ROOT}/node_modules/@temporalio/core-bridge/releases/${platform()}`;
  const [library = ''] = readdirSync(folder).filter((name) => name.endsWith('.node'));
  const [, own = ''] = /^temporal_(.*)_total$/.exec(AFTER_A_FAILURE) ?? [];
  expect(readFileSync(`${folder}/${library}`).includes(own)).toBe(true);
});

/** As the SDK names its builds. */
function platform(): string {
  const architecture = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
  return (
    readdirSync(`${ROOT}/node_modules/@temporalio/core-bridge/releases`).find(
      (name) => name.startsWith(architecture) && name.includes(process.platform),
    ) ?? ''
  );
}
