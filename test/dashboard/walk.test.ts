import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cities, countries } from '../../demo/data.ts';
import { signed } from '../harness/tokens.ts';
import { chromiumOrSkip, InBrowser, isTooWide, seriousFaults } from './in-browser.ts';

const executable = chromiumOrSkip();
const SCRIPT = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
/** As in `api/middleware/tokens.ts`: for this long a token is accepted after it has expired, in seconds. */
const TOLERANCE_S = 30;

let dashboard: InBrowser;
beforeAll(async () => {
  if (executable !== null) dashboard = await InBrowser.start(executable);
}, 120_000);
afterAll(() => dashboard?.stop());

const caller = () => dashboard.caller();
const walk: InBrowser['walk'] = (...how) => dashboard.walk(...how);

const withBorders = (codes: readonly string[]): object[] =>
  (countries() as { code: string }[])
    .filter(({ code }) => codes.includes(code))
    .map((each) => ({ ...each, borders: [] }));

describe.skipIf(executable === null)('in a browser', () => {
  test('whoever has no token signs in with one, which only this tab keeps; one that is wrong, or expires meanwhile, leads back', async () => {
    await walk(
      '/data',
      async (page, context) => {
        await page.getByLabel('Token').fill('wrong');
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('alert').waitFor();
        await page
          .getByLabel('Token')
          .fill(`Bearer ${await signed({ scope: 'platform', platform: 'acme', expiresIn: 8 - TOLERANCE_S })}`);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('heading', { name: 'Data' }).waitFor();
        expect((await context.storageState()).origins).toEqual([]);
        await page.getByRole('link', { name: 'Batches' }).click();
        await page.getByRole('heading', { name: 'Batches', exact: true }).waitFor();
        await page.getByText('The token has expired').waitFor();
        await page.getByLabel('Token').fill(dashboard.token);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('heading', { name: 'Batches', exact: true }).waitFor();
        await page.getByRole('button', { name: /Switch tenant/ }).click();
        await page.getByLabel('Show tenant').fill('another');
        await page.getByRole('button', { name: 'Switch', exact: true }).click();
        await page.getByRole('button', { name: 'Switch tenant: another' }).waitFor();
        await page.getByText('No batches yet').waitFor();
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByLabel('Token').waitFor();
      },
      { as: null },
    );
  });

  test('a token of a tenant reads resources by the name of a schema that it may not list', async () => {
    const as = await signed({ scope: 'tenant', platform: 'acme', tenant: 'north' });
    await walk(
      '/data',
      async (page) => {
        await page.getByText('Schema definitions belong to the platform').waitFor();
        await page.getByLabel('Name of a schema definition').fill('city');
        await page.getByRole('button', { name: 'Open' }).click();
        await page.getByText('No resources of this schema yet').waitFor();
        await page.goto(`${dashboard.url}#/health`);
        await page.getByText('a worker', { exact: true }).first().waitFor();
      },
      { as },
    );
  });

  test('a batch that waits is seen to wait, and to go ahead, through a connection that is lost meanwhile', async () => {
    const orphans = (cities() as { country: string }[]).filter(({ country }) => country === 'AD' || country === 'MC');
    const { batchId } = await caller().resources.upload('city', orphans, { dependencyWaitTimeout: 3600 });
    await walk(`/batches/${batchId}`, async (page) => {
      await page.getByText(`${orphans.length} items wait for 2 missing resources`).waitFor();
      await page.getByText('Live', { exact: true }).waitFor();
      expect(await page.getByRole('link', { name: 'Open in Temporal UI' }).getAttribute('href')).toContain(
        `batch-${batchId}`,
      );
      await page.route('**/api/batches/**', (route) => route.abort());
      dashboard.server.closeAllConnections();
      await page.getByText('Reconnecting').waitFor();
      await caller().resources.upload('country', withBorders(['AD']));
      await page.unroute('**/api/batches/**');
      await page.getByText('Live', { exact: true }).waitFor();
      await page.getByText('for 1 missing resource', { exact: false }).waitFor();
      await caller().resources.upload('country', withBorders(['MC']));
      await page.locator('.page-head').getByText('Success').waitFor();
      await page.getByText('What waits for what').waitFor({ state: 'detached' });
      expect(await page.getByRole('button', { name: 'Retry' }).count()).toBe(0);
    });
  });

  test('a batch is suspended, resumed, cancelled after a question, retried and deleted', async () => {
    const { batchId } = await caller().resources.upload('city', [{ id: 'v', name: 'V', country: 'VA' }], {
      dependencyWaitTimeout: 3600,
    });
    await walk(`/batches/${batchId}`, async (page) => {
      const status = page.locator('.page-head .badge');
      const button = (name: string) => page.getByRole('button', { name, exact: true });
      await button('Suspend').click();
      await status.getByText('Suspended').waitFor();
      await button('Resume').click();
      await status.getByText('Waiting').waitFor();
      await button('Cancel').click();
      await button('Not now').click();
      await button('Cancel').click();
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel', exact: true }).click();
      await status.getByText('Cancelled').waitFor();
      await button('Retry').click();
      await page.getByRole('dialog').getByRole('button', { name: 'Retry', exact: true }).click();
      await status.getByText('Waiting').waitFor();
      await button('Delete').click();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
      await page.getByRole('heading', { name: 'Batches', exact: true }).waitFor();
      expect(
        (await caller().http.GET('/api/batches/{batchId}', { params: { path: { batchId } } })).response.status,
      ).toBe(404);
    });
  });

  test('a thousand failing rows are counted by code with a cure, filtered, and scrolled through with few of them in the page', async () => {
    const rows = Array.from({ length: 1_000 }, (_, at) =>
      at % 2 ? { id: `${at}`, name: '', country: 'AD' } : { id: `${at}`, name: 'x', country: 'AD', mayor: 1 },
    );
    const { batchId } = await caller().resources.upload('city', rows);
    await walk(`/batches/${batchId}`, async (page) => {
      await page.locator('.page-head').getByText('Failed').waitFor();
      await page.getByText('Leave the field out, or send the batch with').waitFor();
      await page.getByRole('link', { name: 'Show these items' }).first().click();
      expect(page.url()).toContain('items=failed');
      const list = page.locator('.items');
      await list.getByText('0', { exact: true }).first().waitFor();
      await expect
        .poll(async () => {
          await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
          return list.locator('tbody tr').last().locator('td').first().textContent();
        })
        .toBe('999');
      expect(await list.locator('tbody tr').count()).toBeLessThan(60);
      await list.locator('tbody tr').last().getByRole('button').click();
      await page.getByRole('dialog').getByText('validation').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    });
  });

  test('a file is imported, and what was rejected of it is downloaded as it was sent', async () => {
    const bad = '{"id":"bad","name":"","country":"AD"}';
    await walk('/upload', async (page) => {
      const file = {
        name: 'cities.ndjson',
        mimeType: 'text/plain',
        buffer: Buffer.from(`{"id":"good","name":"Good","country":"AD"}\n${bad}\n`),
      };
      await page.getByLabel('Choose a file').setInputFiles(file);
      await page.getByLabel('Schema').selectOption('city');
      await page.getByRole('button', { name: 'Start the import' }).click();
      await page.getByRole('link', { name: 'Show the import' }).click();
      await page.locator('.page-head').getByText('Partial success').waitFor();
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: 'Failed rows (1)' }).click();
      const saved = readFileSync(await (await download).path(), 'utf8');
      expect(saved).toContain(bad);
      expect(saved.trim().split('\n')).toHaveLength(1);
    });
  });

  test('pasted JSON is a batch, sent as it is; a script in a name stays text wherever it is shown', async () => {
    await caller().resources.upload('country', withBorders(['TV']));
    await walk('/upload/paste', async (page) => {
      await page.getByLabel('Resources', { exact: true }).fill('[{"id":');
      await page.getByText('This is no JSON').waitFor();
      await page
        .getByLabel('Resources', { exact: true })
        .fill(JSON.stringify([{ id: SCRIPT, name: SCRIPT, country: 'TV' }]));
      await page.getByLabel('Schema').selectOption('city');
      await page.getByRole('button', { name: 'Start the batch' }).click();
      await page.locator('.page-head').getByText('Success').waitFor();
      await page.locator('.item-open').click();
      await page.getByRole('link', { name: 'Open the resource' }).click();
      await page.getByRole('heading', { name: SCRIPT }).waitFor();
      await page.getByRole('link', { name: 'TV' }).click();
      await page.getByRole('link', { name: SCRIPT }).click();
      await page.getByRole('heading', { name: SCRIPT }).waitFor();
      await page.goto(`${dashboard.url}#/data/city`);
      await page.getByLabel('Find by external id').fill(SCRIPT);
      await page.getByRole('button', { name: 'Find' }).click();
      await page.getByRole('heading', { name: SCRIPT }).waitFor();
      expect(await page.title()).toBe(`${SCRIPT} · Drover`);
    });
  });

  test('a filter of the list is in the address, and several batches are deleted together', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => (await caller().resources.patch('country', [{ code: 'ZZ', name: 'none' }])).batchId),
    );
    for (const batchId of ids) await caller().batches.wait(batchId);
    await walk('/batches?batchType=PARTNER_RESOURCE_BATCH_PATCH', async (page) => {
      await page.getByText('2 batches', { exact: true }).waitFor();
      await page.getByText('Any status').click();
      await page.getByRole('checkbox', { name: 'Failed' }).check();
      await expect.poll(() => page.url()).toContain('status=failed');
      await page.reload();
      await page.getByLabel('Select all on this page').check();
      await page.getByRole('button', { name: 'Delete (2)' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
      await page.getByText('No batch matches these filters').waitFor();
    });
  });

  test('a webhook is added, shows its secret once, is tested, disabled, and deleted', async () => {
    await walk('/webhooks', async (page) => {
      await page.getByText('No webhooks yet').waitFor();
      await page.getByRole('button', { name: 'Add a webhook' }).click();
      await page.getByLabel('Address').fill('not an address');
      await page.getByRole('button', { name: 'Add it' }).click();
      await page.getByRole('alert').waitFor();
      await page.getByLabel('Address').fill('https://hooks.invalid/drover');
      await page.getByRole('button', { name: 'Add it' }).click();
      await page.getByText(/^whsec_/).waitFor();
      await page.getByRole('button', { name: 'I have copied it' }).click();
      await page.getByRole('heading', { name: 'https://hooks.invalid/drover' }).waitFor();
      expect(await page.getByText(/whsec_/).count()).toBe(0);
      await page.getByRole('button', { name: 'Send a test' }).click();
      await page.getByText('webhook.test').waitFor();
      await page.getByRole('button', { name: 'New secret' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'New secret' }).click();
      await page.getByText(/^whsec_/).waitFor();
      await page.getByRole('button', { name: 'I have copied it' }).click();
      expect(await seriousFaults(page)).toEqual([]);
      await page.getByRole('button', { name: 'Disable' }).click();
      await page.locator('.page-head').getByText('Disabled').waitFor();
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
      await page.getByText('No webhooks yet').waitFor();
    });
  });

  test('by keyboard alone a batch is sent, watched, looked into and cancelled; the focus is always seen, and goes back where it was', async () => {
    await walk('/batches', async (page) => {
      const focused = (): Promise<string> =>
        page.evaluate(
          '(e => (e.getAttribute("aria-label") ?? e.labels?.[0]?.innerText ?? e.innerText ?? "").trim())(document.activeElement)',
        );
      const isSeen = (): Promise<boolean> =>
        page.evaluate(
          '(e => e.matches(":focus-visible") && getComputedStyle(e).outlineStyle !== "none")(document.activeElement)',
        );
      /** Goes on by Tab until something is reached. */
      const tabTo = async (name: string | RegExp): Promise<void> => {
        for (let n = 0; n < 60; n++) {
          await page.keyboard.press('Tab');
          const now = await focused();
          if (typeof name === 'string' ? now.startsWith(name) : name.test(now)) {
            expect([name, await isSeen()]).toEqual([name, true]);
            return;
          }
        }
        expect.unreachable(`${name} is not reached by Tab`);
      };
      await page.getByRole('heading', { name: 'Batches', exact: true }).waitFor();
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('Skip to content');
      await tabTo('Upload');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Upload', exact: true }).waitFor();
      await tabTo('Paste JSON');
      await page.keyboard.press('Enter');
      await tabTo('Resources');
      await page.keyboard.insertText('{"id":"keys","name":"Keys","country":"KY"}');
      await tabTo('Schema');
      await page.keyboard.type('city');
      await tabTo('If a reference is missing');
      await page.keyboard.press('ArrowDown');
      await tabTo('Start the batch');
      await page.keyboard.press('Enter');
      await page.locator('.page-head').getByText('Waiting').waitFor();
      await tabTo('keys');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog', { name: 'Item 0' }).waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await expect.poll(focused).toBe('keys');
      await page.reload();
      await page.locator('.page-head').getByText('Waiting').waitFor();
      await tabTo(/^Cancel$/);
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      await tabTo(/^Cancel$/);
      await page.keyboard.press('Enter');
      await page.locator('.page-head').getByText('Cancelled').waitFor();
    });
  });

  test('every page is usable by all, light and dark, down to 360 pixels', async () => {
    const { results } = await caller().batches.list({ schema: 'city', limit: 1 }).page();
    const imports = await caller().imports.list({ limit: 1 }).page();
    const pages = {
      '/batches': '.batch-table',
      [`/batches/${results[0]?.batchId}`]: '.item-row',
      '/imports': '.batch-table',
      [`/imports/${imports.results[0]?.importId}`]: '.batch-table',
      '/upload': '.drop',
      '/upload/paste': 'textarea',
      '/data': '.node',
      '/webhooks': '.state',
      '/data/city': '.cell-data',
      '/data/country/AD': '.code',
      '/health': '.workers',
      '/bulk': '.state',
    };
    for (const [colorScheme, width] of [
      ['light', 1400],
      ['dark', 360],
    ] as const) {
      await walk(
        '/batches',
        async (page) => {
          for (const [at, shows] of Object.entries(pages)) {
            await page.goto(`${dashboard.url}#${at}`);
            await page.locator(shows).first().waitFor();
            expect([at, width, await seriousFaults(page)]).toEqual([at, width, []]);
            expect([at, width, await isTooWide(page)]).toEqual([at, width, false]);
          }
        },
        { colorScheme, viewport: { width, height: 800 } },
      );
    }
  });

  test('no page has met an error, or something that its policy does not allow', () => {
    expect(dashboard.complaints).toEqual([]);
  });
});
