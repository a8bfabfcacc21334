import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumOrSkip, InBrowser, isTooWide, seriousFaults } from './in-browser.ts';

const executable = chromiumOrSkip();

let dashboard: InBrowser;
beforeAll(async () => {
  if (executable !== null) dashboard = await InBrowser.start(executable);
}, 120_000);
afterAll(() => dashboard?.stop());

const walk: InBrowser['walk'] = (...how) => dashboard.walk(...how);
const caller = () => dashboard.caller();
const country = (code: string, name: string) => ({ code, name, region: 'R', subregion: 'S', area: 1 });

/** Batches that wait for something that never comes. */
async function waiting(label: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const city = { id: `${label}-${n}`, name: 'X', country: 'NONE' };
    const options = { dependencyWaitTimeout: 3600, label };
    ids.push((await caller().resources.upload('city', [city], options)).batchId);
  }
  for (const id of ids) await caller().batches.wait(id, { until: ({ status }) => status === 'waiting' });
  return ids;
}

const dialogButton = (page: Page, name: string | RegExp) => page.getByRole('dialog').getByRole('button', { name });

describe.skipIf(executable === null)('in a browser', () => {
  test('filters of every kind are in the address, stay when it is opened anew, and go together', async () => {
    const [id] = await waiting('night run', 1);
    await caller().batches.cancel((await waiting('other', 1))[0] ?? '');
    await walk('/batches', async (page) => {
      await page.getByText('More filters').click();
      await page.getByLabel('Label').fill('night run');
      await page.getByLabel('Created after').fill('2020-01-01T10:00');
      await page.getByLabel('External id of an item').fill('night run-0');
      await page.getByRole('button', { name: 'Apply' }).click();
      await expect.poll(() => page.locator('.batch-table tbody tr').count()).toBe(1);
      await page.getByText('More filters (3)').waitFor();
      await page.getByText('Any status').click();
      await page.getByRole('checkbox', { name: 'Waiting' }).check();
      await page.getByRole('checkbox', { name: 'Failed' }).check();
      await expect.poll(() => new URL(page.url()).hash).toContain('status=waiting%2Cfailed');
      expect(await seriousFaults(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await page.reload();
      await page.getByText('Waiting, Failed').waitFor();
      await page.getByText('1 batch', { exact: true }).waitFor();
      await page.getByText('More filters (3)').click();
      expect(await page.getByLabel('Created after').inputValue()).toBe('2020-01-01T10:00');
      await page.getByLabel('Label').fill('nobody');
      await page.getByRole('button', { name: 'Apply' }).click();
      await page.getByText('No batch matches these filters').waitFor();
      await page.getByRole('link', { name: 'Clear filters' }).first().click();
      await page.getByText('2 batches', { exact: true }).waitFor();
    });
    expect((await caller().batches.get(id ?? '')).status).toBe('waiting');
  });

  test('all batches that fit a filter are counted first, then cancelled, and what became of them is shown', async () => {
    const ids = await waiting('bulk', 3);
    await walk('/batches', async (page) => {
      await page.getByText('batches', { exact: false }).first().waitFor();
      // nothing is done with all batches
      expect(await page.getByRole('button', { name: 'Act on all that fit' }).count()).toBe(0);
      await page.goto(`${dashboard.url}#/batches?label=bulk`);
      await page.getByRole('button', { name: 'Act on all that fit' }).click();
      await page.getByText('3 batches fit now').waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      await page.getByLabel('What to do').selectOption('cancel');
      await dialogButton(page, 'Not now').click();
      await page.getByRole('button', { name: 'Act on all that fit' }).click();
      await page.getByLabel('What to do').selectOption('cancel');
      await dialogButton(page, 'Cancel 3 batches').click();
      await page.getByText('3 of 3 batches done').waitFor();
      await page.locator('.page-head').getByText('Success').waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      await page.getByRole('link', { name: 'Batches that fit now' }).click();
      await page.getByText('3 batches', { exact: true }).waitFor();
      await page.getByRole('link', { name: 'Bulk' }).click();
      await page.getByRole('link', { name: 'Cancel Label: bulk' }).waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await isTooWide(page)).toBe(false);
    });
    for (const id of ids) expect((await caller().batches.get(id)).status).toBe('cancelled');
  });

  test('a batch is taken back after a preview that says what would stay, and both batches lead to each other', async () => {
    const { batchId } = await caller().resources.upload('country', [country('QA', 'A'), country('QB', 'B')], {
      undoable: true,
    });
    await caller().batches.wait(batchId);
    const later = await caller().resources.patch('country', [{ code: 'QB', name: 'Changed' }]);
    await caller().batches.wait(later.batchId);
    await walk(`/batches/${batchId}`, async (page) => {
      await page.getByRole('button', { name: 'Undo' }).click();
      await page.getByText('1 change would be taken back · 1 change would stay').waitFor();
      await page.getByRole('dialog').getByText('changed_since').waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      await dialogButton(page, 'Undo').click();
      await page.getByRole('heading', { name: 'Undo country' }).waitFor();
      await page.locator('.page-head').getByText('Success').waitFor();
      await page.getByRole('link', { name: 'The batch that it undoes' }).click();
      await page.getByRole('link', { name: 'Undone by another batch' }).waitFor();
      expect(await page.getByRole('button', { name: 'Undo' }).count()).toBe(0);
    });
    const left = await caller().resources.list('country').toArray();
    expect(left.map(({ resourceExternalId }) => resourceExternalId)).toEqual(['QB']);
  });

  test('no page has met an error, or something that its policy does not allow', () => {
    expect(dashboard.complaints).toEqual([]);
  });
});
