import type { Batch } from '@drover/client';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { CommandRecorder } from '../store/mongodb/command-recorder.ts';
import { browserSeconds } from './browser-cpu.ts';
import { chromiumOrSkip, InBrowser } from './in-browser.ts';

/** Many rows and many changes. What takes time is printed, and recorded in docs/performance; what is asserted depends on no machine. */

const executable = chromiumOrSkip();
const recorder = new CommandRecorder();

let dashboard: InBrowser;
beforeAll(async () => {
  if (executable === null) return;
  recorder.start();
  const uri = inject('mongodbUri');
  const monitored = `${uri}${uri.includes('?') ? '&' : '?'}monitorCommands=true`;
  dashboard = await InBrowser.start(executable, { MONGODB_URI: monitored });
}, 120_000);
afterAll(async () => {
  recorder.stop();
  await dashboard?.stop();
});

const walk: InBrowser['walk'] = (...how) => dashboard.walk(...how);
const caller = () => dashboard.caller();
const say = (line: string): void => console.log(`dashboard: ${line}`);

/** Scrolls a list until its last row is there. @returns the most rows that were in the page at a time. */
async function scrollToEnd(page: Page, last: string): Promise<number> {
  const list = page.locator('.items');
  let most = 0;
  await expect
    .poll(async () => {
      await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      most = Math.max(most, await list.locator('tbody tr').count());
      return list.locator('tbody tr').last().locator('td').first().textContent();
    })
    .toBe(last);
  return most;
}

const ROWS = 10_000;
const BATCHES = 100;
const CHANGES = 40;

describe.skipIf(executable === null)('in a browser', () => {
  test('the first view needs six requests, and no other host', async () => {
    await walk('/batches', async (page) => {
      const requests: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      await page.reload();
      const started = Date.now();
      await page.getByText('No batches yet').waitFor();
      say(`the first view takes ${Date.now() - started} ms`);
      const paths = requests.map(
        (url) =>
          url
            .replace(dashboard.url, '')
            .replace(/-[\w-]{8}\./, '.')
            .split('?')[0],
      );
      const expected = ['', 'api/batches', 'api/session', 'assets/favicon.svg', 'assets/index.css', 'assets/index.js'];
      // what fills the choices of the filters may come later
      expect([...new Set(paths)].filter((path) => path !== 'partner/schema-definitions').sort()).toEqual(expected);
    });
  });

  test('ten thousand failing rows are grouped by code with a cure, and downloaded', async () => {
    const lines = Array.from({ length: ROWS }, (_, n) =>
      JSON.stringify(
        n % 2 ? { id: `${n}`, name: '', country: 'AD' } : { id: `${n}`, name: 'x', country: 'AD', mayor: n },
      ),
    );
    const importId = await caller().import(new Blob([lines.join('\n')]), { schema: 'city', format: 'ndjson' });
    await caller().imports.wait(importId);
    await walk(`/imports/${importId}`, async (page) => {
      await page.locator('.page-head').getByText('Failed').waitFor();
      const faults = page.getByRole('region', { name: 'Faults' }).getByRole('listitem');
      expect(await faults.filter({ hasText: 'unknown_field' }).textContent()).toMatch(/^5,000/);
      await faults.filter({ hasText: 'Leave the field out' }).waitFor();
      await faults.filter({ hasText: 'validation' }).waitFor();
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: 'Failed rows (10,000)' }).click();
      const saved = await (await download).createReadStream();
      let count = 0;
      for await (const piece of saved) count += String(piece).split('\n').length - 1;
      expect(count).toBe(ROWS);
    });
  });

  test('a list of ten thousand items has few rows in the page, wherever it is scrolled to', async () => {
    const externalIds = Array.from({ length: ROWS }, (_, n) => `none-${n}`);
    const { batchId } = await caller().resources.delete('city', { externalIds });
    await caller().batches.wait(batchId);
    await walk(`/batches/${batchId}`, async (page) => {
      await page.locator('.item-row').nth(1).waitFor();
      expect(await scrollToEnd(page, `${ROWS - 1}`)).toBeLessThan(60);
      const rows = await page.locator('.item-grid').getAttribute('aria-rowcount');
      expect(rows).toBe(`${ROWS}`);
      const started = await page.evaluate(() => performance.now());
      await page.locator('.items').evaluate((element) => element.scrollTo(0, 0));
      await page.locator('.items').getByText('none-0', { exact: true }).waitFor();
      say(
        `from the last of ${ROWS} rows to the first: ${Math.round((await page.evaluate(() => performance.now())) - started)} ms`,
      );
    });
  });

  test('a list of a hundred running batches is two queries and at most one for each, faults included', async () => {
    const options = { dependencyWaitTimeout: 3600, label: 'hundred' };
    await Promise.all(
      Array.from({ length: BATCHES }, (_, n) =>
        caller().resources.upload(
          'city',
          [
            { id: `w${n}`, name: 'x', country: 'NONE' },
            { id: `f${n}`, name: '' },
          ],
          options,
        ),
      ),
    );
    const waiting = caller().batches.list({ label: 'hundred', status: 'waiting', limit: 1 });
    await expect.poll(async () => (await waiting.page()).pagination.total, { interval: 250 }).toBe(BATCHES);
    await dashboard.drover.stopWorker();
    const list = () => caller().batches.list({ label: 'hundred', limit: BATCHES }).page();
    const { results } = await list();
    expect(results.every(({ errors, counts }) => counts.pending === 1 && errors?.details[1] !== undefined)).toBe(true);
    const before = new Map(recorder.commands);
    await list();
    const sent = [...recorder.commands].map(([name, n]) => [name, n - (before.get(name) ?? 0)] as const);
    expect(Object.fromEntries(sent.filter(([, n]) => n > 0))).toEqual({ find: BATCHES + 1, aggregate: 1 });
    await drawn(results);
  });

  /** The list as the browser draws it: each answer has one step more of every batch. */
  async function drawn(results: readonly Batch[]): Promise<void> {
    let step = 0;
    await walk('/batches', async (page) => {
      await page.route('**/api/batches?**', async (route) => {
        step = Math.min(step + 1, CHANGES);
        const counts = (n: number) => ({ ...results[0]?.counts, queued: 1_000 - n, succeeded: n, pending: 0 });
        const now = results.map((batch, at) => ({
          ...batch,
          status: 'processing',
          counts: counts(at === 0 ? 5 : step * 20),
          progress: { ...batch.progress, processedRecords: at === 0 ? 5 : step * 20, totalRecords: 1_000 },
        }));
        const pagination = { hasNextPage: false, total: BATCHES, cursor: null };
        await route.fulfill({ json: { success: true, message: '', data: { results: now, pagination } } });
      });
      await page.goto(`${dashboard.url}#/batches?label=hundred`);
      await page
        .locator('.batch-table tbody tr')
        .nth(BATCHES - 1)
        .waitFor();
      await expect.poll(() => step).toBeGreaterThan(4);
      const [seconds, from, at] = [browserSeconds(), step, Date.now()];
      await page
        .locator('.cell-bar')
        .getByText('800 / 1,000')
        .nth(BATCHES - 2)
        .waitFor();
      const [used, changes, took] = [(browserSeconds() ?? 0) - (seconds ?? 0), step - from, (Date.now() - at) / 1_000];
      say(
        `${BATCHES} batches, ${(changes / took).toFixed(1)} changes/s: ${Math.round((100 * used) / took)} % of a core in the browser`,
      );
      // what has not changed is not drawn again: its row is the same
      expect(await page.locator('.batch-table tbody tr').count()).toBe(BATCHES);
    });
  }

  test('no page has met an error, or something that its policy does not allow', () => {
    expect(dashboard.complaints).toEqual([]);
  });
});
