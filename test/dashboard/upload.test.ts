import { readFileSync } from 'node:fs';
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

const AD = { code: 'AD', name: 'Andorra', region: 'Europe', subregion: 'Southern Europe', area: 468 };
const choose = (page: Page, name: string, text: string): Promise<void> =>
  page.getByLabel('Choose a file').setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });
const stored = async (schema: string): Promise<string[]> =>
  (await caller().resources.list(schema).toArray()).map(({ resourceExternalId }) => resourceExternalId);

describe.skipIf(executable === null)('in a browser', () => {
  test('columns of CSV are read as the fields that are chosen, seen in the first rows before anything is stored', async () => {
    const rows = [
      'Code;Full name;region;subregion;area;constructor',
      'AD;Andorra;Europe;Southern Europe;468;x',
      'MC;;Europe;Western Europe;2;y',
    ];
    await walk('/upload', async (page) => {
      await choose(page, 'countries.csv', `${rows.join('\r\n')}\r\n`);
      await page.getByLabel('Schema').selectOption('country');
      await page.getByText('The import would be refused:').waitFor();
      await page.getByText('the schema has no field for the column "constructor"').waitFor();
      expect(await page.getByRole('button', { name: 'Start the import' }).isDisabled()).toBe(true);
      await page.getByLabel('Field of the column Code').selectOption('code');
      await page.getByLabel('Field of the column Full name').selectOption('name');
      await page.getByLabel('Field of the column constructor').selectOption('(leave it out)');
      await page.getByText('What would become of the 2 rows now').waitFor();
      await page.getByText('line 3').waitFor();
      await page.getByRole('row', { name: /Full name.*Andorra/ }).waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      expect(await stored('country')).toEqual([]);
      await page.getByRole('button', { name: 'Start the import' }).click();
      await page.getByRole('link', { name: 'Show the import' }).click();
      await page.locator('.page-head').getByText('Partial success').waitFor();
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: 'Failed rows (1)' }).click();
      expect(readFileSync(await (await download).path(), 'utf8')).toContain('MC;;Europe;Western Europe;2;y');
    });
    expect((await caller().resources.get('country', 'AD')).data).toEqual({ ...AD });
  });

  test('all rows of a file are only checked, and then imported from the same page', async () => {
    const rows = ['M1', 'M2'].map((id) => JSON.stringify({ id, name: id, country: 'AD' }));
    await caller().batches.wait((await caller().resources.upload('country', [AD])).batchId);
    await walk('/upload', async (page) => {
      await choose(page, 'cities.ndjson', `${rows.join('\n')}\n`);
      await page.getByLabel('Schema').selectOption('city');
      await page.getByText('More options').click();
      await page.getByLabel('Label').fill('checked first');
      await page.getByLabel('Priority').selectOption('1');
      await page.getByLabel('Can be undone').check();
      await page.getByRole('button', { name: 'Check all rows only' }).click();
      await page.getByText('All rows are checked, and nothing is written').waitFor();
      await page.getByRole('link', { name: 'Show the import' }).click();
      await page.locator('.page-head').getByText('Success').waitFor();
      await page.getByText('Checked only').waitFor();
      expect(await stored('city')).toEqual([]);
      await page.getByRole('link', { name: 'Upload', exact: true }).click();
      await page.getByRole('button', { name: 'Import it now' }).click();
      await page.getByRole('link', { name: 'Show the import' }).click();
      await page.getByText('checked first').waitFor();
      await page.locator('.page-head').getByText('Success').waitFor();
    });
    expect(await stored('city')).toEqual(['M1', 'M2']);
    const [imported] = await caller().imports.list({ label: 'checked first', limit: 1 }).toArray();
    expect(imported?.options).toMatchObject({ priority: 1, undoable: true });
    await walk(`/imports/${imported?.importId}`, async (page) => {
      await page.getByRole('button', { name: 'Undo' }).click();
      await page.getByText('2 changes would be taken back').waitFor();
      await page.getByRole('dialog').getByRole('button', { name: 'Undo' }).click();
      await page.getByText('1 of 1 batch done').waitFor();
      await page.locator('.page-head').getByText('Success').waitFor();
      await page.getByText('2 taken back').waitFor();
      await page.goto(`${dashboard.url}#/imports/${imported?.importId}`);
      await page.getByRole('link', { name: 'Undone by a bulk operation' }).waitFor();
    });
    expect(await stored('city')).toEqual([]);
  });

  test('nothing more of a file is sent for a user who has signed out, and the next one finds no trace of it', async () => {
    await walk('/upload', async (page) => {
      // no part is answered
      const isSent = new Promise<void>((sent) => void page.route('**/parts/*', () => sent()));
      await choose(page, 'cities.ndjson', '{"id":"S1","name":"S","country":"AD"}\n');
      await page.getByLabel('Schema').selectOption('city');
      await page.getByRole('button', { name: 'Start the import' }).click();
      await isSent;
      const broken = page.waitForEvent('requestfailed', (request) => request.url().includes('/parts/'));
      await page.getByRole('button', { name: 'Sign out' }).click();
      await broken;
      await page.getByLabel('Token').fill(dashboard.token);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('Drop a file here').waitFor();
    });
  });

  test('pasted resources are only checked until the batch is started, with all options of a batch', async () => {
    await walk('/upload/paste', async (page) => {
      await page.getByLabel('Resources', { exact: true }).fill(
        JSON.stringify([
          { ...AD, name: 'Changed' },
          { ...AD, code: 'XY', colour: 1 },
        ]),
      );
      await page.getByLabel('Schema').selectOption('country');
      await page.getByRole('button', { name: 'Check only' }).click();
      await page.getByText('What would happen now; nothing is stored').waitFor();
      await page.getByText('unknown_field').waitFor();
      await page.getByText('1 updated').waitFor();
      expect((await caller().resources.get('country', 'AD')).data).toMatchObject({ name: 'Andorra' });
      await page.getByText('More options').click();
      await page.getByLabel('Label').fill('pasted');
      await page.getByLabel('Can be undone').check();
      await page.getByLabel('Days it is kept').fill('7');
      await page.getByLabel('Resources per activity').fill('1');
      expect(await seriousFaults(page)).toEqual([]);
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await isTooWide(page)).toBe(false);
      await page.getByRole('button', { name: 'Start the batch' }).click();
      await page.locator('.page-head').getByText('Partial success').waitFor();
      await page.getByRole('button', { name: 'Undo' }).waitFor();
    });
    const [batch] = await caller().batches.list({ label: 'pasted' }).toArray();
    expect(batch?.options).toMatchObject({ undoable: true, resourcesPerActivity: 1 });
  });

  test('an import is seen to read on while its parts arrive, and what has finished is in the throughput of the last hour', async () => {
    const lines = (from: number, count: number): Uint8Array =>
      new TextEncoder().encode(
        Array.from(
          { length: count },
          (_, n) => `${JSON.stringify({ id: `live${from + n}`, name: 'x', country: 'AD' })}\n`,
        ).join(''),
      );
    const importId = await caller().imports.start('ndjson', { schema: 'city' });
    await caller().imports.sendPart(importId, 1, { format: 'ndjson', bytes: lines(0, 1_500) });
    await walk(`/imports/${importId}`, async (page) => {
      const polled: string[] = [];
      page.on('request', (request) => {
        if (request.url().endsWith(`/api/imports/${importId}`)) polled.push(request.url());
      });
      await page.getByText('Live', { exact: true }).waitFor();
      await page.getByText('still arriving', { exact: false }).waitFor();
      await caller().imports.sendPart(importId, 2, { format: 'ndjson', bytes: lines(1_500, 1_500) });
      await caller().imports.seal(importId, 2);
      await page.locator('.page-head').getByText('Success').waitFor();
      await page.getByText('Final', { exact: true }).waitFor();
      await page.locator('.count-succeeded').getByText('3,000').waitFor();
      // its states come as events: the status is read when the page opens, and once more if a stream breaks off
      expect(polled.length).toBeLessThanOrEqual(2);
      await page.goto(`${dashboard.url}#/health`);
      await page
        .getByText(/items finished in \d+ batches/)
        .first()
        .waitFor();
      expect(await page.locator('.throughput g').count()).toBe(60);
      expect(await seriousFaults(page)).toEqual([]);
    });
  });

  test('no page has met an error, or something that its policy does not allow', () => {
    expect(dashboard.complaints).toEqual([]);
  });
});
